// What the official tracking standards would say: lib/standards.py on base, latest and target value, all positive.

const CUTS = DATA.standards;
const NOT_ASSESSED = "not assessed", ACHIEVED = "target achieved";

/** The first class whose lower limit a value reaches. */
const classOf = (value, cuts) => cuts.find(([limit]) => limit === null || value >= limit)[1];

/** All standards on one goal; empty without a level after the base. */
function trackersSay(goal, record) {
  const since = insideYears(goal, record);
  if (since.length < 2) return [];
  const latest = since[since.length - 1];
  const seen = {
    goal, since, latest,
    met: latest.value >= goal.target,
    done: latest.year - goal.baseYear,
    left: goal.deadline - latest.year,
    flat: Math.abs(goal.base - goal.target) <= 1e-12 * Math.max(goal.base, goal.target),
    required: Math.abs(goal.target - goal.base),
  };
  return [eurostat, unProgress, escapStatus, sdsn, escapAnticipated].map((standard) => standard(seen));
}

/** A row: the class, and whether it means that the target will be met. */
function row(seen, standard, measure, value, cuts, met, onTrack) {
  const label = seen.met ? met : value === null ? NOT_ASSESSED : classOf(value, cuts);
  const notes = [seen.flat ? "the target equals the base: no progress is required" : "",
    seen.left === 0 ? "value of the target year: an outcome, not a forecast" : ""];
  return { standard, measure, value, label, onTrack: label === NOT_ASSESSED ? null : onTrack(label), note: notes.filter(Boolean).join("; ") };
}

function eurostat(seen) {
  const { goal, latest } = seen;
  const ratio = seen.flat ? null : cagr(goal.base, latest.value, seen.done) / Math.abs(cagr(goal.base, goal.target, goal.years));
  return row(seen, "Eurostat / Open SDG", "R", ratio, CUTS.eurostat, ACHIEVED, (label) => label === ACHIEVED || label === "on track");
}

function unProgress(seen) {
  const { goal, latest } = seen, met = "met or on track";
  const growth = Math.min(seen.left / seen.done * Math.log(latest.value / goal.base), 500);
  const ratio = seen.flat ? null : (latest.value * Math.exp(growth) - goal.base) / seen.required;
  return row(seen, "UN SDG progress chart", "r", ratio, CUTS.un, met, (label) => label === met);
}

const shareDone = (seen) => seen.flat ? null : (seen.latest.value - seen.goal.base) / seen.required;

function escapStatus(seen) {
  const index = seen.flat ? null : 10 * shareDone(seen);
  const cuts = [[0, "progress"], [null, "regression"]];
  return row(seen, "ESCAP current status", "CSI", index, cuts, ACHIEVED, (label) => label === ACHIEVED ? true : null);
}

function sdsn(seen) {
  const ratio = seen.flat ? null : shareDone(seen) / (seen.done / seen.goal.years);
  return row(seen, "SDSN trend", "linear ratio", ratio, CUTS.sdsn, "on track", (label) => label === "on track");
}

/** The gap at the deadline, extrapolated by least squares, in % of the progress required. */
function escapAnticipated(seen) {
  const { goal, since } = seen, standard = "ESCAP anticipated progress (unweighted)";
  const found = row(seen, standard, "gap, %", null, [], "maintain", () => true);
  if (seen.flat) return found;
  const value = 100 * Math.max(goal.target - extrapolate(seen, since, goal.deadline), 0) / seen.required;
  const label = CUTS.escap_gap.find(([cut]) => cut === null || value > cut)[1];
  return { ...found, value, label, onTrack: label === "maintain" };
}

function extrapolate(seen, since, deadline) {
  if (seen.left === 0) return seen.latest.value;
  const middle = sum(since.map((at) => at.year)) / since.length, mean = sum(since.map((at) => at.value)) / since.length;
  const slope = sum(since.map((at) => (at.year - middle) * at.value)) / sum(since.map((at) => (at.year - middle) ** 2));
  return mean + slope * (deadline - middle);
}
