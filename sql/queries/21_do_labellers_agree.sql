-- Do the labellers agree?
select labeller, other_labeller, target, items, round(agreement::numeric, 2) as agreement, round(kappa::numeric, 2) as kappa
from analytics.label_agreement
order by items desc;
