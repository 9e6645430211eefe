// The figure: record, path of the goal and fan, drawn as SVG with direct labels. Classes, not colours: the
// style sheet serves light, dark, print and grey.

const MARKS = ["published", "converted", "implied"];

/** An SVG element. */
function shape(name, attributes, ...inside) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value.toFixed?.(2) ?? value);
  node.append(...inside);
  return node;
}

/** What the figure shows: levels around the goal's years, its path, the fan, the ends of both axes. */
function shownIn({ goal, record, ahead }) {
  const start = ahead.length ? ahead[0].year - 1 : Infinity, first = Math.min(goal.baseYear, start) - 8;
  const levels = [...record].map(([year, level]) => ({ year, ...level }))
    .filter(({ year }) => year >= first && year <= goal.deadline + 8);
  const path = numbers(goal.years + 1, (k) => [goal.baseYear + k, pathAt(goal, goal.baseYear + k)]);
  const known = levels.filter(({ year }) => year >= start && year <= goal.deadline);
  const fan = [...known.map(({ year, value }) => ({ year, fan: MODEL.fan.map(() => value) })), ...ahead]
    .sort((a, b) => a.year - b.year);
  const values = [...levels.map(({ value }) => value), ...path.map(([, value]) => value)];
  const top = Math.max(...values, ...fan.map((one) => one.fan[5]));
  const most = 1.04 * Math.max(top, Math.min(fan.at(-1)?.fan[6] ?? 0, 1.6 * top));
  const years = [...levels.map(({ year }) => year), goal.baseYear, goal.deadline];
  return { levels, path, fan, most, from: Math.min(...years), to: Math.max(...years) };
}

/** Draw the figure, so many pixels wide, into the last group that the page has. */
function drawChart(svg, room, found) {
  const { levels, path, fan, most, from, to } = shownIn(found), divisor = most >= 1000 ? 1000 : 1;
  const width = clip(room || 720, 300, 900), height = Math.round(Math.max(260, width / 2)), drawn = [];
  const left = 52, right = width - 92, top = 30, bottom = height - 30;
  const x = (year) => left + (year - from) / Math.max(to - from, 1) * (right - left);
  const y = (value) => bottom - Math.min(value, most) / most * (bottom - top);
  const draw = (...parts) => drawn.push(shape(...parts));
  const spot = ([year, value]) => `${x(year).toFixed(2)},${y(value).toFixed(2)}`;
  const line = (name, spots, as = "polyline") => draw(as, { class: name, points: spots.map(spot).join(" ") });
  draw("text", { class: "unit", x: 4, y: 14 }, `${state.currency} ${divisor > 1 ? "bn" : "mn"}, nominal`);
  const power = 10 ** Math.floor(Math.log10(most / 5));
  const step = [1, 2, 5, 10].find((k) => k * power >= most / 5) * power;
  for (let tick = 0; tick <= most; tick += step) {
    line("grid", [[from, tick], [to, tick]]);
    draw("text", { class: "tick value", x: left - 6, y: y(tick) + 4 }, levelText(tick / divisor));
  }
  const every = Math.max(1, Math.ceil((to - from) * 44 / (right - left)));
  for (let year = to; year >= from; year -= every) {
    draw("text", { class: "tick year", x: x(year), y: bottom + 18 }, year);
  }
  const [end, target] = path.at(-1), labels = [[target, "goal", "label of-path"]];
  if (fan.length) {
    const points = (k) => fan.map((one) => [one.year, one.fan[k]]), { fan: last } = fan.at(-1);
    line("band95", [...points(0), ...points(6).reverse()], "polygon");
    line("band80", [...points(1), ...points(5).reverse()], "polygon");
    line("median", points(3));
    labels.push([last[6], last[6] > most ? "95 % ↑" : "95 %"], [last[5], "80 %"], [last[3], "median"]);
  }
  line("path", path);
  draw("use", { href: "#goal-mark", x: x(end), y: y(target) });
  levels.slice(1).forEach(({ year, value }, k) => {
    line(year - levels[k].year > 1 ? "gap" : "record", [[levels[k].year, levels[k].value], [year, value]]);
  });
  for (const { year, value, grade } of levels) {
    const name = DATA.grades[grade], mark = MARKS.find((one) => name.includes(one)) ?? "cross";
    const said = shape("title", {}, `${year}: ${levelText(value)} mn, ${name}`);
    draw("use", { class: `mark ${mark}`, href: `#${mark}`, x: x(year), y: y(value) }, said);
  }
  let lowest = top - 14;  // labels at the right end are moved apart so that none covers another
  for (const [value, text, name = "label"] of labels.sort(([a], [b]) => b - a)) {
    lowest = Math.max(y(value), lowest + 14);
    draw("text", { class: name, x: x(end) + 8, y: lowest + 4 }, text);
  }
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.lastElementChild.replaceChildren(...drawn);
}
