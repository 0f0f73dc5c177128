// The charts: sentiment index with its band over counts of stories; negatives against expectation; scores and a threshold.
// Data comes as columns from our own API; drawing is uPlot's.
"use strict";
(() => {
  const UTC = (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC");
  const color = Desk.color;
  const drawn = [];

  function axes(small) {
    const grid = { stroke: color("line"), width: 1 };
    const text = { stroke: color("muted"), font: "11px " + getComputedStyle(document.body).fontFamily, ticks: { show: false }, grid };
    const times = (_, splits, __, ___, step) => splits.map((at, i) => {
      const [day, clock] = [Desk.time(at, true), Desk.time(at).slice(-5)];
      if (step >= 86400) return day.slice(0, day.lastIndexOf(" "));
      return clock === "00:00" || i === 0 ? Desk.time(at).replace(" 00:00", "") : clock;
    });
    return [{ ...text, space: 76, size: 24, values: times }, { ...text, size: 44, space: small ? 26 : 32 }];
  }

  function base(width, height, extra) {
    return { width, height, tzDate: UTC, legend: { show: false }, padding: [8, 12, 0, 0],
      cursor: { drag: { x: true, y: false }, points: { size: 6 }, sync: { key: extra.sync || "" } }, ...extra.options };
  }

  // Alerts are lines with a flag at the top; the flag's shape says the severity, too.
  function markAlerts(alerts) {
    return (plot) => {
      const ctx = plot.ctx, top = plot.bbox.top, bottom = top + plot.bbox.height, unit = devicePixelRatio || 1;
      ctx.save();
      ctx.beginPath();
      ctx.rect(plot.bbox.left, top, plot.bbox.width, plot.bbox.height);
      ctx.clip();
      for (const alert of alerts) {
        const x = plot.valToPos(alert.at, "x", true), end = plot.valToPos(alert.until, "x", true);
        const paint = alert.severity === "critical" ? color("critical") : color("negative-fill");
        ctx.globalAlpha = 0.10;
        ctx.fillStyle = paint;
        ctx.fillRect(x, top, Math.max(end - x, unit), bottom - top);
        ctx.globalAlpha = 1;
        ctx.fillRect(x, top, 1.5 * unit, bottom - top);
        ctx.beginPath();
        ctx.moveTo(x, top);
        ctx.lineTo(x + 8 * unit, top + 4.5 * unit);
        ctx.lineTo(x, top + 9 * unit);
        ctx.fill();
      }
      ctx.restore();
    };
  }

  function zeroLine(plot) {
    const ctx = plot.ctx, y = Math.round(plot.valToPos(0, "y", true));
    if (y < plot.bbox.top || y > plot.bbox.top + plot.bbox.height) return;
    ctx.save();
    ctx.strokeStyle = color("line-strong");
    ctx.beginPath();
    ctx.moveTo(plot.bbox.left, y);
    ctx.lineTo(plot.bbox.left + plot.bbox.width, y);
    ctx.stroke();
    ctx.restore();
  }

  // Room for a whole span at both ends: the last one has begun, and its bar and alerts lie after its start.
  function whole(data) {
    const span = data.span_minutes * 60, first = data.at[0], last = data.at[data.at.length - 1];
    return (_, min, max) => (min === first && max === last ? [first - span / 2, last + span] : [min, max]);
  }

  function indexRange(data) {
    let most = 0.25;
    for (const column of [data.index, data.low, data.high]) for (const v of column) if (v !== null) most = Math.max(most, Math.abs(v));
    most = Math.min(1, Math.ceil(most * 10 + 0.5) / 10);
    return [-most, most];
  }

  function readout(box, data) {
    const line = document.createElement("div");
    line.className = "readout";
    line.setAttribute("role", "status");
    box.append(line);
    return (place) => {
      const at = place === null || place === undefined ? data.at.length - 1 : place;
      if (at < 0) { line.textContent = "No story in this range."; return; }
      line.replaceChildren();
      const value = document.createElement("b");
      value.textContent = Desk.signed(data.index[at]);
      const usual = data.low[at] === null ? "no band yet" : `usual ${Desk.signed(data.low[at])} to ${Desk.signed(data.high[at])}`;
      const all = data.negative[at] + data.neutral[at] + data.positive[at];
      line.append(`${Desk.time(data.at[at], data.span_minutes === 1440)} · index `, value,
        `, ${usual} · ${all} stories: ▼ ${data.negative[at]}  ◆ ${data.neutral[at]}  ▲ ${data.positive[at]}`);
      const then = data.alerts.filter((a) => a.at <= data.at[at] + data.span_minutes * 60 && a.until >= data.at[at]);
      if (then.length) line.append(` · ${then[0].severity} alert: ${then.slice(0, 3).map((a) => a.title).join(", ")}${then.length > 3 ? " …" : ""}`);
    };
  }

  function indexPlot(box, data, width, tell) {
    const line = color("accent");
    const options = base(width, 250, { sync: box.dataset.series, options: {
      scales: { x: { time: true, range: whole(data) }, y: { range: indexRange(data) } },
      axes: axes(false),
      series: [{}, { stroke: "transparent", points: { show: false } }, { stroke: "transparent", points: { show: false } },
        { stroke: color("muted"), width: 1, dash: [3, 4], points: { show: false } },
        { stroke: line, width: 2, spanGaps: true, points: { show: data.at.length < 3 } }],
      bands: [{ series: [2, 1], fill: color("band") }],
      hooks: { drawAxes: [zeroLine], draw: [markAlerts(data.alerts)], setCursor: [(plot) => tell(plot.cursor.idx)] },
    } });
    return new uPlot(options, [data.at, data.low, data.high, data.expected, data.index], box);
  }

  function countPlot(box, data, width) {
    const sums = data.at.map((_, i) => data.negative[i] + data.neutral[i] + data.positive[i]);
    const upper = data.at.map((_, i) => data.negative[i] + data.neutral[i]);
    const bars = uPlot.paths.bars({ size: [0.75, 22], gap: 1 });
    const series = (fill) => ({ fill, stroke: fill, width: 0, paths: bars, points: { show: false } });
    const options = base(width, 96, { sync: box.dataset.series, options: {
      scales: { x: { time: true, range: whole(data) }, y: { range: (_, __, max) => [0, Math.max(max, 1) * 1.05] } },
      axes: axes(true),
      series: [{}, series(color("positive-fill")), series(color("neutral-fill")), series(color("negative-fill"))],
    } });
    return new uPlot(options, [data.at, sums, upper, data.negative], box);
  }

  async function sentiment(box) {
    const range = box.dataset.range;
    const answer = await fetch(`${box.dataset.chart}?range=${range}`);
    if (!answer.ok) { box.textContent = "The chart cannot be loaded now."; return; }
    const data = await answer.json();
    const redraw = () => {
      box.replaceChildren();
      const tell = readout(box, data), width = box.clientWidth;
      const plots = [indexPlot(box, data, width, tell), countPlot(box, data, width)];
      tell(null);
      keys(box, plots[0], data);
      for (const plot of plots) {
        plot.over.addEventListener("mouseup", () => { box.zoomed = plots.some((one) => one.scales.x.min > data.at[0]); });
        plot.over.addEventListener("dblclick", () => { box.zoomed = false; });
      }
      if (box.dataset.stories) plots[0].over.addEventListener("click", () => storiesThen(box, data, plots[0].cursor.idx));
    };
    drawn.push({ box, redraw });
    redraw();
  }

  // The chart by keyboard: arrows move the cursor, Enter shows the stories of that time.
  function keys(box, plot, data) {
    box.tabIndex = 0;
    box.setAttribute("role", "group");
    box.setAttribute("aria-label", "Chart of the sentiment index; arrow keys read it point by point" + (box.dataset.stories ? ", Enter shows the stories of that time" : ""));
    box.onkeydown = (event) => {
      const now = plot.cursor.idx ?? data.at.length - 1;
      const to = { ArrowLeft: now - 1, ArrowRight: now + 1, Home: 0, End: data.at.length - 1 }[event.key];
      if (to !== undefined) {
        const place = Math.max(0, Math.min(data.at.length - 1, to));
        plot.setCursor({ left: plot.valToPos(data.at[place], "x"), top: plot.over.clientHeight / 2 });
      } else if (event.key === "Enter" && box.dataset.stories) storiesThen(box, data, now);
      else return;
      event.preventDefault();
    };
  }

  async function storiesThen(box, data, place) {
    if (place === null || place === undefined) return;
    const at = new Date(data.at[place] * 1000).toISOString();
    const answer = await fetch(`${Desk.base}/series/${box.dataset.series}/stories?at=${encodeURIComponent(at)}&minutes=${data.span_minutes}`);
    if (answer.ok) document.querySelector(box.dataset.stories).replaceChildren(...Desk.fragment(await answer.text()));
  }

  async function evaluations(box) {
    const data = await (await fetch(box.dataset.evaluations)).json();
    if (!data.at.length) { empty(box, "No evaluation is stored around this alert."); return; }
    const redraw = () => {
      box.replaceChildren();
      const options = base(box.clientWidth, 210, { options: {
        scales: { x: { time: true }, y: { range: (_, __, max) => [0, Math.max(max, 3) * 1.08] } }, axes: axes(true),
        series: [{}, { stroke: "transparent", points: { show: false } }, { stroke: "transparent", points: { show: false } },
          { stroke: color("muted"), width: 1, dash: [3, 4], points: { show: false } },
          { stroke: color("negative-fill"), width: 2, points: { show: false } }],
        bands: [{ series: [2, 1], fill: color("band") }],
      } });
      new uPlot(options, [data.at, data.low, data.high, data.expected, data.negative], box);
      const note = document.createElement("p");
      note.className = "muted";
      note.textContent = data.spans === "hours" ? "Negative stories hour by hour, as the first notification had them, and the band expected (two deviations)."
        : "Negative stories in the best trailing window of each tick, and the band expected there (two deviations).";
      box.append(note);
    };
    drawn.push({ box, redraw });
    redraw();
  }

  async function threshold(box) {
    const data = await (await fetch(box.dataset.threshold)).json();
    if (!data.at.length) { empty(box, "No evaluation of this series is stored in that time."); return; }
    const row = document.createElement("label"), input = document.createElement("input"), words = document.createElement("output");
    row.className = "threshold";
    Object.assign(input, { type: "range", min: "1", max: "10", step: "0.1", value: "3.5" });
    row.append("Score", input, words);
    let plot = null;
    const line = (p) => {
      const y = p.valToPos(+input.value, "y", true);
      p.ctx.save();
      p.ctx.strokeStyle = color("accent");
      p.ctx.setLineDash([6, 4]);
      p.ctx.beginPath();
      p.ctx.moveTo(p.bbox.left, y);
      p.ctx.lineTo(p.bbox.left + p.bbox.width, y);
      p.ctx.stroke();
      p.ctx.restore();
    };
    const count = () => {
      let episodes = 0, above = 0, last = -Infinity;
      data.score.forEach((score, i) => {
        if (score < +input.value) return;
        above += 1;
        if (data.at[i] - last > 6 * 3600) episodes += 1;
        last = data.at[i];
      });
      words.textContent = `at ${(+input.value).toFixed(1)}: ${episodes} episode${episodes === 1 ? "" : "s"}, ${above} tick${above === 1 ? "" : "s"} above`;
    };
    const redraw = () => {
      box.replaceChildren();
      const options = base(box.clientWidth, 170, { options: {
        scales: { x: { time: true }, y: { range: (_, __, max) => [0, Math.max(max, 6.5)] } }, axes: axes(true),
        series: [{}, { stroke: color("muted"), width: 1.25, points: { show: false } }], hooks: { draw: [line] },
      } });
      plot = new uPlot(options, [data.at, data.score], box);
      box.append(row);
      count();
    };
    input.addEventListener("input", () => { plot.redraw(); count(); });
    drawn.push({ box, redraw });
    redraw();
  }

  function empty(box, words) {
    const note = document.createElement("p");
    note.className = "empty";
    note.textContent = words;
    box.replaceChildren(note);
    box.classList.add("none");
  }

  for (const box of document.querySelectorAll("[data-chart]")) {
    sentiment(box);
    box.closest("section").querySelectorAll("button[data-range]").forEach((button, _, all) => button.addEventListener("click", () => {
      all.forEach((other) => other.toggleAttribute("aria-pressed", false));
      button.setAttribute("aria-pressed", "true");
      box.dataset.range = button.dataset.range;
      drawn.splice(0, drawn.length, ...drawn.filter((one) => one.box !== box));
      sentiment(box);
    }));
  }
  document.querySelectorAll("[data-evaluations]").forEach(evaluations);
  document.querySelectorAll("[data-threshold]").forEach(threshold);

  // New stories move the chart, unless somebody is reading it.
  document.addEventListener("fresh", () => {
    for (const box of document.querySelectorAll("[data-chart]")) {
      if (box.zoomed || box.matches(":hover, :focus, :focus-within")) continue;
      drawn.splice(0, drawn.length, ...drawn.filter((one) => one.box !== box));
      sentiment(box);
    }
  });

  let waiting = 0;
  const again = () => { clearTimeout(waiting); waiting = setTimeout(() => drawn.forEach((one) => one.redraw()), 120); };
  addEventListener("resize", again);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
})();
