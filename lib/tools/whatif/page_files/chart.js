// The figure: record, path of the goal and fan, drawn as SVG with direct labels. Classes, not colours, so that the
// style sheet can serve light, dark, print and grey.

/** An SVG element with attributes and, if given, a text. */
function draw(parent, name, attributes = {}, text = "") {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, typeof value === "number" ? value.toFixed(2) : value);
  node.append(text);
  parent.append(node);
  return node;
}

/** What the figure shows: levels around the goal's years, path, fan from the last level on, and the highest of them. */
function shownIn({ goal, record, ahead }) {
  const start = ahead.length ? ahead[0].year - 1 : goal.deadline, first = Math.min(goal.baseYear, start) - 8;
  const levels = [...record].filter(([year]) => year >= first && year <= goal.deadline + 8).map(([year, level]) => ({ year, ...level }));
  const path = upTo(goal.years + 1).map((k) => ({ year: goal.baseYear + k, value: pathAt(goal, goal.baseYear + k) }));
  const fanOf = (year) => ahead.find((one) => one.year === year)?.fan ?? MODEL.fan.map(() => record.get(year).value);
  const fan = ahead.length ? upTo(goal.deadline - start + 1).map((k) => ({ year: start + k, fan: fanOf(start + k) })) : [];
  const top = Math.max(...[...levels, ...path].map(({ value }) => value), ...fan.map((one) => one.fan[5]));
  const most = 1.04 * Math.max(top, Math.min(fan.at(-1)?.fan[6] ?? 0, 1.6 * top)), years = [...levels, ...path].map(({ year }) => year);
  return { levels, path, fan, most, from: Math.min(...years), to: Math.max(...years) };
}

/** Draw the figure into a box of the page that is so wide. */
function drawChart(box, room, found, said) {
  const { levels, path, fan, most, from, to } = shownIn(found), [divisor, unit] = most >= 1000 ? [1000, "bn"] : [1, "mn"];
  const width = clip(room || 720, 300, 900), height = Math.round(Math.max(260, width / 2));
  const left = 52, right = width - 92, top = 30, bottom = height - 30;
  const x = (year) => left + (year - from) / Math.max(to - from, 1) * (right - left);
  const y = (value) => bottom - Math.min(value, most) / most * (bottom - top);
  const line = (name, places, kind = "polyline") =>
    draw(svg, kind, { class: name, points: places.map(([year, value]) => `${x(year).toFixed(2)},${y(value).toFixed(2)}`).join(" ") });
  const svg = draw(box, "svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-labelledby": "chart-title chart-desc" });
  draw(svg, "title", { id: "chart-title" }, `${nameOf(state)}: levels, goal path and fan`);
  draw(svg, "desc", { id: "chart-desc" }, said);
  draw(svg, "text", { class: "unit", x: 4, y: 14 }, `${found.goal.currency} ${unit}, nominal`);
  const power = 10 ** Math.floor(Math.log10(most / 5)), step = [1, 2, 5, 10].map((k) => k * power).find((one) => one >= most / 5);
  for (let tick = 0; tick <= most; tick += step) {
    line("grid", [[from, tick], [to, tick]]);
    draw(svg, "text", { class: "tick", x: left - 6, y: y(tick) + 4, "text-anchor": "end" }, levelText(tick / divisor));
  }
  const every = Math.max(1, Math.ceil((to - from) * 44 / (right - left)));
  for (let year = to; year >= from; year -= every) {
    draw(svg, "text", { class: "tick", x: x(year), y: bottom + 18, "text-anchor": "middle" }, String(year));
  }
  const ends = [], points = (k) => fan.map((one) => [one.year, one.fan[k]]);
  if (fan.length) {
    line("band95", [...points(0), ...points(6).reverse()], "polygon");
    line("band80", [...points(1), ...points(5).reverse()], "polygon");
    line("median", points(3));
    const last = fan.at(-1), cut = last.fan[6] > most ? " ↑" : "";
    ends.push([last.fan[6], `95 %${cut}`, "95"], [last.fan[5], "80 %", "80"], [last.fan[3], "median", "-median"]);
  }
  const { year: end, value: target } = path.at(-1);
  line("path", path.map(({ year, value }) => [year, value]));
  draw(svg, "path", { class: "target", d: `M ${x(end) - 6} ${y(target)} h 12 M ${x(end)} ${y(target) - 6} v 12` });
  levels.slice(1).forEach(({ year, value }, k) => {
    line(year - levels[k].year > 1 ? "gap" : "record", [[levels[k].year, levels[k].value], [year, value]]);
  });
  for (const { year, value, grade } of levels) {
    draw(drawMark(svg, DATA.grades[grade], x(year), y(value)), "title", {}, `${year}: ${levelText(value)} mn, ${DATA.grades[grade]}`);
  }
  let lowest = top - 14;  // labels at the right end are moved apart so that none covers another
  for (const [value, text, name] of [...ends, [target, "goal", "-path"]].sort(([a], [b]) => b - a)) {
    lowest = Math.max(y(value), lowest + 14);
    draw(svg, "text", { class: `label label${name}`, x: x(end) + 8, y: lowest + 4 }, text);
  }
  box.replaceChildren(svg);
}

/** Full circle: published; hollow circle: implied; hollow square: converted here; cross: last resort. */
function drawMark(svg, grade, x, y) {
  if (grade === "published") return draw(svg, "circle", { class: "mark full", cx: x, cy: y, r: 4 });
  if (grade === "implied") return draw(svg, "circle", { class: "mark hollow", cx: x, cy: y, r: 4 });
  if (grade.includes("converted")) return draw(svg, "rect", { class: "mark hollow", x: x - 4, y: y - 4, width: 8, height: 8 });
  return draw(svg, "path", { class: "mark cross", d: `M ${x - 4} ${y - 4} l 8 8 M ${x - 4} ${y + 4} l 8 -8` });
}
