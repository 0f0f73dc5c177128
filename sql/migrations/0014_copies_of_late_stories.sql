-- A window also holds the copies that came before it, of stories whose score came when their own window was closed.

comment on column windows.copies is 'Further articles of stories that are negative for the series and count live in the window: those that arrived in it, and those that arrived before it where the story was scored late; set when it closes.';
