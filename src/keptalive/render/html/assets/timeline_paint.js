// How a TimelineView draws: once for each frame at most, and only the rows and requests that are seen.
"use strict";

Object.assign(TimelineView.prototype, {
  draw() {
    if (this.waiting || !this.context) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      this.paint();
    });
  },

  colours() {
    const style = getComputedStyle(this.figure);
    const named = {};
    for (const name of [
      ...PHASES, "waiting", "receiving", "open", "text", "faint", "line", "end", "paper", "lit",
    ]) {
      named[name] = style.getPropertyValue(`--${name.replace("_", "-")}`).trim();
    }
    return named;
  },

  paint() {
    const { context, width, height } = this;
    const colours = this.colours();
    context.fillStyle = colours.paper;
    context.fillRect(0, 0, width, height);
    context.font = "12px system-ui, sans-serif";
    context.textBaseline = "middle";
    this.paintAxis(colours);
    if (!this.rows.length) {
      context.fillStyle = colours.faint;
      context.fillText("No connection has all of what is chosen above.", 8, AXIS + 14);
    }
    context.save();
    context.beginPath();
    context.rect(0, AXIS, width, height - AXIS);
    context.clip();
    let row = Math.max(firstNotLess(this.tops, this.top, 0, this.tops.length) - 1, 0);
    for (; row < this.rows.length; row += 1) {
      const y = AXIS + this.tops[row] - this.top;
      if (y > height) break;
      this.paintRow(this.rows[row], y, colours);
    }
    context.restore();
    this.paintScrollbar(colours);
  },

  paintAxis(colours) {
    const { context } = this;
    let { ticks, step } = ticksOf(this, this.plotWidth);
    // Deep in a long run, the texts are long
    const widest = context.measureText(tickText(this.to, step)).width;
    if (widest > 90) ({ ticks, step } = ticksOf(this, this.plotWidth, widest + 30));
    context.textAlign = "center";
    for (const tick of ticks) {
      const x = Math.round(this.x(tick)) + 0.5;
      if (x < this.gutter) continue;
      context.strokeStyle = colours.line;
      context.beginPath();
      context.moveTo(x, AXIS - 4);
      context.lineTo(x, this.height);
      context.stroke();
      context.fillStyle = colours.faint;
      const text = tickText(tick, step);
      const half = context.measureText(text).width / 2;
      context.fillText(text, Math.min(x, this.width - half - 4), AXIS / 2);
    }
    context.textAlign = "left";
  },

  paintScrollbar(colours) {
    const seen = this.height - AXIS - BELOW;
    if (this.tall <= seen) return;
    const length = Math.max((seen * seen) / this.tall, 16);
    const y = AXIS + (this.top / (this.tall - seen)) * (seen - length);
    this.context.fillStyle = colours.faint;
    this.context.fillRect(this.width - 4, y, 3, length);
  },

  paintRow(row, y, colours) {
    if (row.kind === "heading") this.paintHeading(row, y, colours);
    else if (row.kind === "enough") this.paintEnough(row, y, colours);
    else if (row.kind === "perfect") this.paintPerfect(row, y, colours);
    else this.paintLane(row.lane, y, colours);
  },

  paintHeading(row, y, colours) {
    const { context } = this;
    const route = this.model.routes[row.route];
    const count = row.lanes.length;
    const process = row.several ? `process ${row.process}, ` : "";
    const beside = `${process}${count} connection${count === 1 ? "" : "s"}`;
    const room = this.width - context.measureText(beside).width - 24;
    context.fillStyle = colours.text;
    context.font = "600 13px system-ui, sans-serif";
    const name = fitted(context, route.name, room);
    context.fillText(name, 4, y + HEADING - 12);
    const after = 12 + context.measureText(name).width;
    context.font = "12px system-ui, sans-serif";
    context.fillStyle = colours.faint;
    context.fillText(beside, after, y + HEADING - 12);
  },

  paintEnough(row, y, colours) {
    const { context } = this;
    context.fillStyle = colours.faint;
    const were = row.count === 1 ? "1 connection" : `${row.count} connections`;
    context.fillText(`${were} would be enough for the same requests:`, 4, y + 12);
  },

  paintPerfect(row, y, colours) {
    const { context } = this;
    const middle = y + this.laneHeight / 2;
    context.fillStyle = colours.open;
    const { ends, at } = row.requests;
    const from = Math.max(this.x(ends.length ? this.model.start[at(0)] : 0), this.gutter);
    const to = Math.min(this.x(ends.length ? ends.at(-1) : this.model.seconds), this.width);
    if (to > from) context.fillRect(from, middle - this.thin / 2, to - from, this.thin);
    this.paintRequests(row.requests, middle, colours);
    this.clearGutter(y, colours);
  },

  paintLane(lane, y, colours) {
    const { context, model } = this;
    const middle = y + this.laneHeight / 2;
    const thick = this.thick;
    const isLit = this.focus && this.focus.lane === lane;
    if (isLit) {
      context.fillStyle = colours.lit;
      context.fillRect(0, y, this.width, this.laneHeight);
    }
    const from = Math.max(this.x(firstMoment(model, lane)), this.gutter);
    const to = Math.min(this.x(lastMoment(model, lane)), this.width);
    context.fillStyle = colours.open;
    if (to > from) context.fillRect(from, middle - this.thin / 2, to - from, this.thin);
    this.paintRequests(requestsOf(model, lane), middle, colours);
    // Over the first request: it had taken the connection before that was opened
    for (const [name, begin, end] of openingOf(model, lane)) {
      const x = Math.max(this.x(begin), this.gutter);
      context.fillStyle = colours[name];
      const wide = this.x(end) - x;
      if (wide > 0) context.fillRect(x, middle - thick / 2, Math.max(wide, 0.5), thick);
    }
    this.paintEnd(lane, middle, colours);
    this.clearGutter(y, colours, isLit);
    if (this.laneHeight >= 11) this.paintLabel(lane, middle, colours);
  },

  /** Short ones that touch one another are one rectangle: thousands of them would take too long. */
  paintRequests(requests, middle, colours) {
    const { context, model, thick } = this;
    let [from, to] = [0, 0];
    const paintShort = () => {
      context.fillStyle = colours.receiving;
      if (to > from) context.fillRect(from, middle - thick / 2, to - from, thick);
    };
    eachMark(model, requests, this, (at) => {
      const x = Math.max(this.x(model.start[at]), this.gutter);
      const isFocus = this.focus && this.focus.at === at;
      if (isFocus || this.x(model.release[at]) - x >= SHORTEST) {
        this.paintRequest(at, x, middle, thick, colours);
        return;
      }
      if (x > to) {
        paintShort();
        from = x;
      }
      to = x + SHORTEST;
    });
    paintShort();
  },

  paintRequest(at, left, middle, thick, colours) {
    const { context, model } = this;
    const { exchanges } = model;
    const xEnd = this.x(model.release[at]);
    const xHead = Number.isNaN(model.head[at]) ? xEnd : this.x(model.head[at]);
    if (this.focus && this.focus.at === at) {
      context.strokeStyle = colours.text;
      context.strokeRect(left - 1, middle - thick / 2 - 1.5, Math.max(xEnd - left, 2) + 2, thick + 3);
    }
    context.fillStyle = colours.waiting;
    context.fillRect(left, middle - thick / 2, Math.max(Math.min(xHead, this.width) - left, 1), thick);
    const dark = Math.max(xHead, this.gutter);
    if (xEnd - dark >= 0.5) {
      context.fillStyle = colours.receiving;
      context.fillRect(dark, middle - thick / 2, Math.min(xEnd, this.width) - dark, thick);
    }
    // The first request of a connection has the phases of opening it over its beginning
    const from = Math.max(left, this.x(model.connected[exchanges.connection[model.request[at]]] || 0));
    if (xEnd - from > 90 && this.laneHeight >= 16) {
      const path = exchanges.paths[exchanges.path[model.request[at]]];
      const text = fitted(context, path, Math.min(xEnd, this.width) - from - 8);
      // Light on dark where most of it stands on the download
      context.fillStyle = dark < from + context.measureText(text).width / 2 ? colours.paper : colours.text;
      context.fillText(text, from + 4, middle + 0.5);
    }
  },

  paintEnd(lane, middle, colours) {
    const { context, model } = this;
    if (Number.isNaN(model.ended[lane]) || this.laneHeight < 4) return;
    const x = this.x(model.ended[lane]);
    if (x < this.gutter || x > this.width) return;
    const arm = Math.min(this.laneHeight / 4, 4);
    context.strokeStyle = colours.end;
    context.lineWidth = 1.5;
    context.beginPath();
    context.moveTo(x - arm, middle - arm);
    context.lineTo(x + arm, middle + arm);
    context.moveTo(x - arm, middle + arm);
    context.lineTo(x + arm, middle - arm);
    context.stroke();
    context.lineWidth = 1;
    const end = model.connections.end[lane];
    if (this.laneHeight < 11 || end === null) return;
    context.fillStyle = colours.end;
    const room = this.width - x - arm - 10;
    const text = model.ends[end];
    if (room > 60) context.fillText(fitted(context, text, room), x + arm + 4, middle + 0.5);
  },

  clearGutter(y, colours, isLit = false) {
    this.context.fillStyle = isLit ? colours.lit : colours.paper;
    this.context.fillRect(0, y, this.gutter, this.laneHeight);
  },

  paintLabel(lane, middle, colours) {
    const { context, model } = this;
    const cause = model.connections.cause[lane];
    const number = `#${model.connections.id[lane]}`;
    context.fillStyle = colours.faint;
    context.fillText(number, 8, middle + 0.5);
    if (cause === null || this.gutter < 100) return;
    context.fillStyle = colours.text;
    const left = 14 + context.measureText(`#${model.largest}`).width;
    context.fillText(fitted(context, model.causes[cause], this.gutter - left - 4), left, middle + 0.5);
  },
});

/** A text, or as much of it as fits into so many pixels. */
function fitted(context, text, width) {
  if (context.measureText(text).width <= width) return text;
  let low = 0;
  let high = text.length;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if (context.measureText(`${text.slice(0, middle)}…`).width <= width) low = middle;
    else high = middle - 1;
  }
  return low ? `${text.slice(0, low)}…` : "";
}
