// A timeline on its canvas: what is where, what is seen of it, and what is in focus.
"use strict";

const AXIS = 26; // pixels, as all lengths here
const BELOW = 8;
const HEADING = 30;
const HEIGHTS = { heading: HEADING, enough: 20 }; // of rows that are no lanes
const TALLEST = 560;
const LANE_HEIGHTS = [22, 16, 11, 7, 4, 2, 1];
const LOWEST = 4; // that still shows one request beside another: then rather scroll, up to ...
const MOST_SCREENS = 3;
const SHORTEST = 2; // a request that takes less is one dark mark: light and dark would not be seen
const ON_PAPER = { width: 700, height: 880 }; // A4 and Letter, without margins
const FEWEST_SECONDS = 1e-4; // the whole width at the closest

class TimelineView {
  /** figure: its canvas, buttons and texts; model: of timelineModel. */
  constructor(figure, model, onSelect) {
    this.figure = figure;
    this.canvas = figure.querySelector("canvas");
    this.detail = figure.querySelector(".detail");
    this.model = model;
    this.onSelect = onSelect;
    this.filter = {};
    this.top = 0; // pixels of rows that are scrolled away
    this.focus = null; // {lane, at}: what the keys have reached
    this.waiting = false;
    this.rows = rowsOf(model, this.filter);
    this.layOut();
    this.showAll();
    this.listen();
  }

  // -- What is where

  layOut() {
    const seen = this.onPaper ? ON_PAPER.height : TALLEST;
    const most = this.onPaper ? seen * MOST_SCREENS : seen;
    this.laneHeight = LANE_HEIGHTS[this.lane] ?? this.fittingHeight(seen - AXIS - BELOW);
    let y = 0;
    this.tops = this.rows.map((row) => {
      const top = y;
      y += HEIGHTS[row.kind] ?? this.laneHeight;
      return top;
    });
    this.tall = y;
    this.canvas.style.height = `${Math.min(most, AXIS + this.tall + BELOW + 2)}px`;
    this.resize();
  }

  /** The tallest lanes with which all is in sight; if none are, those that need little scrolling. */
  fittingHeight(seen) {
    const others = this.rows.map((row) => HEIGHTS[row.kind]).filter(Boolean);
    const fixed = others.reduce((sum, height) => sum + height, 0);
    const lanes = this.rows.length - others.length;
    const within = (room, least) =>
      LANE_HEIGHTS.find((height) => height >= least && fixed + lanes * height <= room);
    return within(seen, LOWEST) ?? within(seen * MOST_SCREENS, 1) ?? LANE_HEIGHTS.at(-1);
  }

  /** Paper has a width of its own, light colours, and shows what a screen would have to scroll. */
  setPaper(isPaper) {
    this.onPaper = isPaper;
    this.canvas.style.width = isPaper ? `${ON_PAPER.width}px` : "";
    this.layOut();
    this.paint();
  }

  resize() {
    const ratio = Math.max(window.devicePixelRatio || 1, this.onPaper ? 2 : 1);
    const { clientWidth, clientHeight } = this.canvas;
    this.width = clientWidth;
    this.height = clientHeight;
    this.gutter = clientWidth < 560 ? 44 : 150;
    this.canvas.width = Math.round(clientWidth * ratio);
    this.canvas.height = Math.round(clientHeight * ratio);
    this.context = this.canvas.getContext("2d");
    this.context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.scroll(0);
  }

  get plotWidth() {
    return Math.max(this.width - this.gutter - 8, 1);
  }

  get scale() {
    return this.plotWidth / (this.to - this.from);
  }

  get thin() {
    return Math.min(this.laneHeight / 2, 2);
  }

  get thick() {
    return Math.max(this.laneHeight * 0.6, Math.min(this.laneHeight, 2));
  }

  x(seconds) {
    return this.gutter + (seconds - this.from) * this.scale;
  }

  rowAt(y) {
    if (y < AXIS) return -1;
    const inside = y - AXIS + this.top;
    if (inside >= this.tall) return -1;
    return firstNotLess(this.tops, inside + 0.001, 0, this.tops.length) - 1;
  }

  // -- Moving

  showAll() {
    if (this.lane !== undefined) {
      this.lane = undefined;
      this.layOut();
    }
    const extra = this.model.seconds * 0.02 || 0.01;
    this.from = -extra / 4;
    this.to = this.model.seconds + extra;
    this.draw();
  }

  zoom(times, x = this.gutter + this.plotWidth / 2) {
    const fixed = this.from + (x - this.gutter) / this.scale;
    const longest = (this.model.seconds || 0.01) * 1.1;
    const length = Math.min(Math.max((this.to - this.from) / times, FEWEST_SECONDS), longest);
    const share = (x - this.gutter) / this.plotWidth;
    this.from = fixed - length * share;
    this.to = this.from + length;
    this.keepInside();
    this.draw();
  }

  pan(pixels) {
    const seconds = pixels / this.scale;
    this.from += seconds;
    this.to += seconds;
    this.keepInside();
    this.draw();
  }

  keepInside() {
    const length = this.to - this.from;
    const extra = this.model.seconds * 0.05 || 0.01;
    const last = this.model.seconds + extra - length;
    // What is wider than everything has everything in its middle
    this.from = last < -extra ? (last - extra) / 2 : Math.max(Math.min(this.from, last), -extra);
    this.to = this.from + length;
  }

  scroll(pixels) {
    const most = Math.max(this.tall - (this.height - AXIS - BELOW), 0);
    this.top = Math.min(Math.max(this.top + pixels, 0), most);
    this.draw();
  }

  setFilter(filter) {
    this.filter = filter;
    this.focus = null;
    this.top = 0;
    this.rows = rowsOf(this.model, filter);
    this.layOut();
  }

  /** Bring a connection and its requests into sight. */
  show(lane) {
    const row = this.rows.findIndex((one) => one.lane === lane);
    if (row < 0) return;
    this.scroll(this.tops[row] - this.top - this.height / 3);
    this.focus = { lane, at: null };
    this.tell();
    this.draw();
  }

  // -- What is under the pointer, or reached by keys

  pointed(x, y) {
    const row = this.rows[this.rowAt(y)];
    if (!row || row.kind === "heading" || row.kind === "enough") return null;
    const time = this.from + (x - this.gutter) / this.scale;
    const near = 3 / this.scale;
    if (row.kind === "perfect") return null;
    const { model } = this;
    const last = model.first[row.lane + 1];
    const at = firstNotLess(model.release, time - near, model.first[row.lane], last);
    const isHit = at < last && model.start[at] <= time + near && x >= this.gutter;
    return { lane: row.lane, at: isHit ? at : null };
  }

  /** Say what the focus is on, as text: for the eye, and for a screen reader. */
  tell(what = this.focus) {
    const text = what === null ? "" : textOf(this.model, what.lane, what.at);
    if (this.detail.textContent !== text) this.detail.textContent = text;
  }

  move(lanes, requests) {
    const order = this.rows.filter((row) => row.kind === "lane").map((row) => row.lane);
    if (!order.length) return;
    const now = this.focus ? order.indexOf(this.focus.lane) : -1;
    const lane = order[Math.min(Math.max(now < 0 ? 0 : now + lanes, 0), order.length - 1)];
    const { first, start, release } = this.model;
    let at = this.focus && this.focus.lane === lane ? this.focus.at : null;
    if (requests && first[lane] < first[lane + 1]) {
      const next = at === null ? (requests > 0 ? first[lane] : first[lane + 1] - 1) : at + requests;
      at = Math.min(Math.max(next, first[lane]), first[lane + 1] - 1);
      if (start[at] < this.from || release[at] > this.to) {
        this.pan((start[at] - (this.from + this.to) / 2) * this.scale);
      }
    }
    this.focus = { lane, at };
    const y = this.tops[this.rows.findIndex((row) => row.lane === lane)] - this.top;
    if (y < 0 || y > this.height - AXIS - this.laneHeight) this.scroll(y - this.height / 3);
    this.tell();
    this.draw();
  }
}

/** A connection, or one of its requests, in a sentence or two. */
function textOf(model, lane, at) {
  const { connections } = model;
  const port = connections.port[lane] === null ? "" : `, local port ${connections.port[lane]}`;
  const name = `Connection ${connections.id[lane]} to ${model.routes[connections.route[lane]].name}`;
  if (at === null) {
    const cause = connections.cause[lane];
    const why = cause === null ? "" : `, opened because: ${model.causes[cause]}`;
    const where = connections.where[lane] === null ? "" : `, ${model.places[connections.where[lane]]}`;
    const end = connections.end[lane] === null ? "" : ` Ended: ${model.ends[connections.end[lane]]}.`;
    const phases = openingOf(model, lane)
      .map(([phase, from, to]) => `${PHASE_NAMES[phase]} ${timeText(to - from)}`)
      .join(", ");
    const opening = phases ? ` Opening it: ${phases}.` : "";
    const served = connections.served[lane];
    return `${name}${port}${why}${where}. Responses: ${served}.${opening}${end}`;
  }
  const { exchanges } = model;
  const number = model.request[at];
  const start = model.start[at];
  const head = model.head[at];
  const status = exchanges.status[number] ?? "no response";
  const place = exchanges.where[number] === null ? "" : `, ${model.places[exchanges.where[number]]}`;
  const idle = at > model.first[lane] ? `, after ${timeText(start - model.release[at - 1])} idle` : "";
  const waited = Number.isNaN(head) ? "" : ` First byte after ${timeText(head - start)}`;
  const read = waited && `, read in ${timeText(model.release[at] - head)}.`;
  return (
    `${exchanges.paths[exchanges.path[number]]}: ${status}${place}. ` +
    `At ${timeText(start)} on connection ${connections.id[lane]}${idle}.${waited}${read}`
  );
}

const PHASE_NAMES = { dns: "DNS", connect: "connect", tunnel: "tunnel", ca_bundle: "CA bundle", tls: "TLS" };
