// From the page's columns to lanes, marks and ticks. Pure: no document, no canvas.
"use strict";

// As in keptalive.render.html.timeline: the order in which they happen
const PHASES = ["dns", "connect", "tunnel", "ca_bundle", "tls"];

/** The columns with times in seconds (NaN: unknown), and each connection's requests together. */
function timelineModel(data) {
  const { connections, exchanges } = data;
  const count = connections.id.length;
  const model = {
    ...data,
    count,
    largest: connections.id.reduce((most, id) => Math.max(most, id), 0),
    attempted: inSeconds(connections.attempted),
    connected: inSeconds(connections.connected),
    ended: inSeconds(connections.ended),
    first: new Uint32Array(count + 1), // connection -> its first request; the next one's is its end
    start: new Float64Array(0),
    head: new Float64Array(0),
    release: new Float64Array(0),
    request: new Uint32Array(0), // place in the lanes' order -> place in the columns
  };
  if (exchanges) sortIntoLanes(model, exchanges);
  return model;
}

function inSeconds(micros) {
  return Float64Array.from(micros, (one) => (one === null ? NaN : one / 1e6));
}

function sortIntoLanes(model, exchanges) {
  const total = exchanges.connection.length;
  for (const connection of exchanges.connection) model.first[connection + 1] += 1;
  for (let lane = 0; lane < model.count; lane += 1) model.first[lane + 1] += model.first[lane];
  const next = model.first.slice();
  model.start = new Float64Array(total);
  model.head = new Float64Array(total);
  model.release = new Float64Array(total);
  model.request = new Uint32Array(total);
  let micros = 0;
  for (let number = 0; number < total; number += 1) {
    micros += exchanges.started[number];
    const head = exchanges.head[number];
    const released = exchanges.released[number];
    const connection = exchanges.connection[number];
    const at = next[connection]++;
    model.request[at] = number;
    model.start[at] = micros / 1e6;
    model.head[at] = head === null ? NaN : (micros + head) / 1e6;
    model.release[at] = released === null ? NaN : (micros + released) / 1e6;
  }
  // One that was never given back lasts until the next one, or until its connection ends
  for (let lane = 0; lane < model.count; lane += 1) {
    let next = lastMoment(model, lane);
    for (let at = model.first[lane + 1] - 1; at >= model.first[lane]; at -= 1) {
      if (!(model.release[at] <= next)) model.release[at] = Math.max(next, model.start[at]);
      next = model.start[at];
    }
  }
}

/** When a connection ended, or the report did. */
function lastMoment(model, connection) {
  const ended = model.ended[connection];
  return Number.isNaN(ended) ? model.seconds : ended;
}

/** When a connection begins to be drawn: one that was there before begins with the report. */
function firstMoment(model, connection) {
  const attempted = model.attempted[connection];
  return Number.isNaN(attempted) ? 0 : attempted;
}

/** The phases of opening a connection, as [name, from, to] in seconds. */
function openingOf(model, connection) {
  const micros = model.connections.phases[connection];
  const parts = [];
  let from = firstMoment(model, connection);
  micros.forEach((length, index) => {
    if (length > 0) parts.push([PHASES[index], from, (from += length / 1e6)]);
  });
  return parts;
}

/**
 * The rows from top to bottom: for each route and process a heading, a lane for each connection that
 * the filter lets through, and the lanes that perfect reuse would have needed.
 */
function rowsOf(model, filter = {}) {
  const groups = new Map();
  for (let lane = 0; lane < model.count; lane += 1) {
    if (!lets(model, filter, lane)) continue;
    const route = model.connections.route[lane];
    const process = model.connections.process[lane];
    const key = route * 1e9 + process;
    if (!groups.has(key)) groups.set(key, { route, process, lanes: [] });
    groups.get(key).lanes.push(lane);
  }
  const sorted = [...groups.values()].sort((a, b) => a.route - b.route || a.process - b.process);
  const processes = new Set(sorted.map((group) => group.process));
  const rows = [];
  for (const group of sorted) {
    group.lanes.sort((a, b) => firstMoment(model, a) - firstMoment(model, b));
    rows.push({ kind: "heading", ...group, several: processes.size > 1 });
    for (const lane of group.lanes) rows.push({ kind: "lane", lane });
    const perfect = isWhole(filter) ? perfectLanes(model, group) : [];
    if (perfect.length && perfect.length < group.lanes.length) {
      rows.push({ kind: "enough", count: perfect.length });
      for (const lane of perfect) rows.push({ kind: "perfect", requests: requestsIn(model, lane) });
    }
  }
  return rows;
}

function isWhole(filter) {
  return filter.cause === undefined || filter.cause === null;
}

function lets(model, filter, lane) {
  const { route, process, cause } = model.connections;
  return (
    (filter.route ?? route[lane]) === route[lane] &&
    (filter.process ?? process[lane]) === process[lane] &&
    (filter.cause ?? cause[lane]) === cause[lane]
  );
}

/**
 * The same requests on as few lanes as can carry them (each takes the lane that is free for longest).
 * Empty if the requests are unknown. If they need more lanes than the report counts as enough, as
 * streams that are read late do, the lanes are there without requests.
 */
function perfectLanes(model, group) {
  const enough = model.routes[group.route].enough ?? Infinity;
  const requests = [];
  for (const lane of group.lanes) {
    for (let at = model.first[lane]; at < model.first[lane + 1]; at += 1) requests.push(at);
  }
  requests.sort((a, b) => model.start[a] - model.start[b]);
  const lanes = [];
  const waiting = []; // the lanes, in the order in which they become free
  const free = []; // when each of these does
  for (const at of requests) {
    let lane = [];
    if (free[0] <= model.start[at]) {
      lane = waiting.shift();
      free.shift();
    } else if (lanes.push(lane) > enough) {
      return Array.from({ length: enough }, () => []);
    }
    lane.push(at);
    const place = firstNotLess(free, model.release[at], 0, free.length);
    waiting.splice(place, 0, lane);
    free.splice(place, 0, model.release[at]);
  }
  return lanes;
}

/** The first index from `low` up to `high` whose value is not less than this one. */
function firstNotLess(values, value, low, high) {
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (values[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The requests of a connection, one after the other: their places, and when each ends. */
function requestsOf(model, lane) {
  const [first, last] = [model.first[lane], model.first[lane + 1]];
  return { ends: model.release.subarray(first, last), at: (number) => first + number };
}

/** The same of a lane that would be enough. */
function requestsIn(model, lane) {
  return { ends: Float64Array.from(lane, (at) => model.release[at]), at: (number) => lane[number] };
}

/**
 * Call draw(at) for the requests of one lane that are seen, at most once for each pixel: however many
 * there are, no more is drawn than the screen can show.
 *
 * requests: of requestsOf or requestsIn; view: {from, to} in seconds, and `scale`, pixels a second.
 */
function eachMark(model, requests, view, draw) {
  const { ends, at } = requests;
  let number = firstNotLess(ends, view.from, 0, ends.length);
  while (number < ends.length && model.start[at(number)] <= view.to) {
    draw(at(number));
    const pixel = Math.floor((ends[number] - view.from) * view.scale);
    const after = view.from + (pixel + 1) / view.scale;
    number = firstNotLess(ends, after, number + 1, ends.length);
    // Rounding may leave one at the very end of the same pixel
    while (number < ends.length && (ends[number] - view.from) * view.scale < pixel + 1) number += 1;
  }
}

/** Times for the axis, about one for each `apart` pixels, and how to write them. */
function ticksOf(view, width, apart = 110) {
  const wanted = ((view.to - view.from) * apart) / Math.max(width, 1);
  const power = 10 ** Math.floor(Math.log10(wanted));
  let step = [1, 2, 5, 10].map((times) => times * power).find((one) => one >= wanted) ?? 10 * power;
  if (wanted > 5) {
    step = [10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400].find(
      (one) => one >= wanted,
    ) ?? Math.ceil(wanted / 86400) * 86400;
  }
  const ticks = [];
  for (let n = Math.ceil(view.from / step); n * step <= view.to; n += 1) ticks.push(n * step);
  return { ticks, step };
}

/** Seconds as a person writes them: "350 ms", "1.5 s", "2 min 30 s", "1 h 5 min". */
function timeText(seconds) {
  if (seconds < 0) return `-${timeText(-seconds)}`;
  if (seconds === 0) return "0 s";
  if (seconds < 1) {
    const ms = seconds * 1000;
    return `${+ms.toFixed(ms < 10 ? 1 : 0)} ms`;
  }
  if (seconds < 60) return `${+seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return twoUnits(whole, 60, "min", "s");
  return twoUnits(Math.round(whole / 60), 60, "h", "min");
}

function twoUnits(count, size, large, small) {
  const rest = count % size;
  return `${Math.floor(count / size)} ${large}${rest ? ` ${rest} ${small}` : ""}`;
}

/** The same, exact to the step of an axis: "1 h 5 min 0.00012 s". */
function tickText(seconds, step) {
  if (step >= 1) return timeText(seconds);
  const digits = Math.ceil(-Math.log10(step) - 1e-9);
  if (seconds < 0) return `-${tickText(-seconds, step)}`;
  if (seconds < 1) return seconds < step / 2 ? "0 s" : `${+(seconds * 1000).toFixed(digits)} ms`;
  const minutes = Math.floor((seconds + step / 2) / 60);
  const rest = +Math.max(seconds - minutes * 60, 0).toFixed(digits);
  if (minutes === 0) return `${rest} s`;
  return `${timeText(minutes * 60)}${rest ? ` ${rest} s` : ""}`;
}
