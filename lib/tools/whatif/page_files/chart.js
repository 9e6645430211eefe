// What the figure shows, at places in per cent of its width and height; the page draws it.

const MARKS = ["published", "converted", "implied"], LABELS_APART = 6;

/** Levels around the goal's years, its path, the fan, the ends of both axes. */
function shownIn({ goal, record, ahead }) {
  const start = ahead.length ? ahead[0].year - 1 : Infinity, first = Math.min(goal.baseYear, start) - 8;
  const levels = [...record].map(([year, level]) => ({ year, ...level }))
    .filter(({ year }) => year >= first && year <= goal.deadline + 8);
  const years = numbers(goal.years + 1, (k) => goal.baseYear + k);
  const path = years.map((year) => ({ year, value: pathAt(goal, year) }));
  const fan = [...levels.map((one) => ({ ...one, fan: MODEL.fan.map(() => one.value) })), ...ahead]
    .filter(({ year }) => year >= start && year <= goal.deadline).sort((a, b) => a.year - b.year);
  const top = Math.max(...[...levels, ...path].map(({ value }) => value), ...fan.map((one) => one.fan[5]));
  const most = 1.04 * Math.max(top, Math.min(fan.at(-1)?.fan[6] ?? 0, 1.6 * top));
  return { levels, path, fan, most, from: levels[0].year, to: Math.max(levels.at(-1).year, goal.deadline) };
}

/** The parts of the figure; what lies above its top is drawn there. */
function chartOf(found) {
  const { levels, path, fan, most, from, to } = shownIn(found), divisor = most >= 1000 ? 1000 : 1;
  const x = (year) => ((year - from) / Math.max(to - from, 1) * 100).toFixed(2);
  const y = (value) => (100 - Math.min(value / most, 1) * 100).toFixed(2);
  const line = (spots) => spots.map(({ year, value }) => `${x(year)},${y(value)}`).join(" ");
  const quantile = (k) => fan.map((one) => ({ year: one.year, value: one.fan[k] }));
  const between = (low, high) => line([...quantile(low), ...quantile(high).reverse()]);
  const joined = (wanted) => levels.slice(1).map((end, k) => [levels[k], end])
    .filter(([start, end]) => wanted(end.year - start.year)).map((ends) => `M${line(ends)}`).join("");
  const power = 10 ** Math.floor(Math.log10(most / 5)), every = Math.ceil((to - from) / 14) || 1;
  const step = [1, 2, 5, 10].find((k) => k * power >= most / 5) * power, { deadline, target } = found.goal;
  const top = fan.at(-1)?.fan, labels = [[target, "goal", "label of-path"]];
  if (top) labels.push([top[6], top[6] > most ? "95 % ↑" : "95 %"], [top[5], "80 %"], [top[3], "median"]);
  let lowest = -LABELS_APART;  // labels are moved apart so that none covers another
  return {
    unit: `${state.currency} ${divisor > 1 ? "bn" : "mn"}`, end: x(deadline), target: y(target),
    band95: between(0, 6), band80: between(1, 5), median: line(quantile(3)), path: line(path),
    record: joined((years) => years === 1), gaps: joined((years) => years > 1),
    heights: numbers(Math.floor(most / step) + 1, (k) => ({ y: y(k * step), said: k * step / divisor })),
    years: numbers(Math.floor((to - from) / every) + 1, (k) => to - k * every)
      .map((year) => ({ x: x(year), year })),
    marks: levels.map(({ year, value, grade }) => ({ x: x(year), y: y(value), year, value,
      grade: DATA.grades[grade], kind: MARKS.find((one) => DATA.grades[grade].includes(one)) ?? "cross" })),
    labels: labels.sort(([a], [b]) => b - a).map(([value, said, kind = "label"]) =>
      ({ x: x(deadline), y: lowest = Math.max(y(value), lowest + LABELS_APART), said, kind })),
  };
}
