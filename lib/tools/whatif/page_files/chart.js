// The figure: record, path of the goal and fan, drawn as SVG with direct labels. Classes, not colours, so that the
// style sheet can serve light, dark, print and grey.

const SVG = "http://www.w3.org/2000/svg";

/** An SVG element with attributes and, if given, a text. */
function draw(parent, name, attributes = {}, text = null) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, typeof value === "number" ? value.toFixed(2) : value);
  if (text !== null) node.textContent = text;
  parent.append(node);
  return node;
}

/** Steps of 1, 2 or 5 × 10ᵏ from 0 to about `most`. */
function ticksTo(most) {
  const raw = most / 5, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((k) => k * power).find((one) => one >= raw);
  return upTo(Math.floor(most / step + 1e-9) + 1).map((k) => k * step);
}

/** What the figure shows: levels around the goal's years, path, fan from the last level on. */
function shownIn(found) {
  const { goal, record, ahead } = found, start = ahead.length ? ahead[0].year - 1 : goal.deadline;
  const first = Math.min(goal.baseYear, start) - 8, last = goal.deadline + 8;
  const levels = [...record].filter(([year]) => year >= first && year <= last).map(([year, at]) => ({ year, ...at }));
  const path = upTo(goal.years + 1).map((k) => ({ year: goal.baseYear + k, value: pathAt(goal, goal.baseYear + k) }));
  const fans = new Map(ahead.map((one) => [one.year, one.fan])), flat = (year) => MODEL.fan.map(() => record.get(year).value);
  const fan = ahead.length ? upTo(goal.deadline - start + 1).map((k) => ({ year: start + k, fan: fans.get(start + k) ?? flat(start + k) })) : [];
  const top = Math.max(...levels.map((at) => at.value), ...path.map((at) => at.value), ...fan.map((at) => at.fan[5]));
  const most = fan.length ? Math.min(Math.max(top, fan[fan.length - 1].fan[6]), 1.6 * top) : top;
  const years = [...levels.map((at) => at.year), ...path.map((at) => at.year)];
  return { levels, path, fan, most: most * 1.04, from: Math.min(...years), to: Math.max(...years, goal.deadline) };
}

/** Draw the figure into a box of the page. */
function drawChart(box, room, found, words) {
  const shown = shownIn(found), width = Math.max(300, Math.min(room || 720, 900)), height = Math.round(Math.max(260, width * 0.5));
  const side = { left: 52, right: 92, top: 30, bottom: 30 };
  const [divisor, unit] = shown.most >= 1000 ? [1000, "bn"] : [1, "mn"];
  const x = (year) => side.left + (year - shown.from) / Math.max(shown.to - shown.from, 1) * (width - side.left - side.right);
  const y = (value) => height - side.bottom - Math.min(value, shown.most) / shown.most * (height - side.top - side.bottom);
  const svg = document.createElementNS(SVG, "svg");
  for (const [key, value] of Object.entries({ viewBox: `0 0 ${width} ${height}`, role: "img", "aria-labelledby": "chart-title chart-desc" })) svg.setAttribute(key, value);
  draw(svg, "title", { id: "chart-title" }, words.title);
  draw(svg, "desc", { id: "chart-desc" }, words.text);
  drawAxes(svg, shown, { x, y, width, height, side, divisor }, `${found.goal.currency} ${unit}, nominal`);
  const labels = [...drawFan(svg, shown, x, y), ...drawPath(svg, shown, x, y)];
  drawLevels(svg, shown.levels, x, y);
  placeLabels(svg, labels, height - side.bottom);
  box.replaceChildren(svg);
}

function drawAxes(svg, shown, place, unit) {
  const { x, y, width, height, side, divisor } = place;
  for (const tick of ticksTo(shown.most / divisor)) {
    draw(svg, "line", { class: "grid", x1: side.left, x2: width - side.right, y1: y(tick * divisor), y2: y(tick * divisor) });
    draw(svg, "text", { class: "tick", x: side.left - 6, y: y(tick * divisor) + 4, "text-anchor": "end" }, Number.isInteger(tick) ? grouped(tick) : String(Number(tick.toPrecision(6))));
  }
  const step = Math.max(1, Math.ceil((shown.to - shown.from) * 44 / (width - side.left - side.right)));
  for (let year = shown.to; year >= shown.from; year -= step) {
    draw(svg, "text", { class: "tick", x: x(year), y: height - side.bottom + 18, "text-anchor": "middle" }, String(year));
  }
  draw(svg, "text", { class: "unit", x: 4, y: 14 }, unit);
}

/** Bands of 95 and 80 % and the median; returns the labels at their ends. */
function drawFan(svg, shown, x, y) {
  if (!shown.fan.length) return [];
  const points = (k) => shown.fan.map((at) => `${x(at.year).toFixed(2)},${y(at.fan[k]).toFixed(2)}`);
  for (const [name, low, high] of [["band95", 0, 6], ["band80", 1, 5]]) {
    draw(svg, "polygon", { class: name, points: [...points(low), ...points(high).reverse()].join(" ") });
  }
  draw(svg, "polyline", { class: "median", points: points(3).join(" ") });
  const end = shown.fan[shown.fan.length - 1], cut = end.fan[6] > shown.most ? "95 % ↑" : "95 %";
  return [[6, cut, "label95"], [5, "80 %", "label80"], [3, "median", "label-median"]].map(([k, text, name]) =>
    ({ x: x(end.year) + 8, y: y(end.fan[k]), text, name }));
}

function drawPath(svg, shown, x, y) {
  const end = shown.path[shown.path.length - 1];
  draw(svg, "polyline", { class: "path", points: shown.path.map((at) => `${x(at.year).toFixed(2)},${y(at.value).toFixed(2)}`).join(" ") });
  draw(svg, "path", { class: "target", d: `M ${x(end.year) - 6} ${y(end.value)} h 12 M ${x(end.year)} ${y(end.value) - 6} v 12` });
  return [{ x: x(end.year) + 8, y: y(end.value), text: "goal", name: "label-path" }];
}

/** Levels as marks whose shape says how they are known; lines only between years that follow one another. */
function drawLevels(svg, levels, x, y) {
  levels.slice(1).forEach((at, k) => {
    const before = levels[k], gap = at.year - before.year > 1;
    draw(svg, "line", { class: gap ? "gap" : "record", x1: x(before.year), y1: y(before.value), x2: x(at.year), y2: y(at.value) });
  });
  for (const at of levels) {
    const place = [x(at.year), y(at.value)], mark = draw(svg, ...markOf(at.grade, ...place));
    draw(mark, "title", {}, `${at.year}: ${levelText(at.value)} mn, ${DATA.grades[at.grade]}`);
  }
}

/** Full circle: published; hollow circle: implied; hollow square: converted here; cross: last resort. */
function markOf(grade, x, y) {
  const name = DATA.grades[grade];
  if (name === "published") return ["circle", { class: "mark full", cx: x, cy: y, r: 4 }];
  if (name === "implied") return ["circle", { class: "mark hollow", cx: x, cy: y, r: 4 }];
  if (name.includes("converted")) return ["rect", { class: "mark hollow", x: x - 4, y: y - 4, width: 8, height: 8 }];
  return ["path", { class: "mark cross", d: `M ${x - 4} ${y - 4} l 8 8 M ${x - 4} ${y + 4} l 8 -8` }];
}

/** Labels at the right end, moved apart so that none covers another. */
function placeLabels(svg, labels, bottom) {
  const apart = 14, sorted = [...labels].sort((a, b) => a.y - b.y);
  sorted.forEach((label, k) => { if (k) label.y = Math.max(label.y, sorted[k - 1].y + apart); });
  const over = Math.max(0, (sorted.at(-1)?.y ?? 0) - bottom);
  for (const label of sorted) draw(svg, "text", { class: `label ${label.name}`, x: label.x, y: label.y - over + 4 }, label.text);
}
