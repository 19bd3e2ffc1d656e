// Joins the page's parts: each timeline, its filters, its table, and the links from causes to it.
"use strict";

const ROWS_SHOWN = 100;

class Timeline {
  constructor(figure) {
    const data = JSON.parse(document.getElementById(figure.dataset.source).textContent);
    this.figure = figure;
    this.model = timelineModel(data);
    this.filters = [...figure.querySelectorAll("select[data-filter]")];
    this.table = figure.querySelector("tbody");
    this.more = figure.querySelector(".more");
    this.view = new TimelineView(figure, this.model, (lane) => this.openTable(lane));
    this.fillFilters();
    this.fillTable();
    this.more.addEventListener("click", () => this.addRows());
  }

  // -- Filters

  fillFilters() {
    const { model } = this;
    const processes = [...new Set(model.connections.process)].sort((a, b) => a - b);
    const choices = {
      route: model.routes.map((route, index) => [index, route.name]),
      cause: model.causes.map((cause, index) => [index, cause]),
      process: processes.map((process) => [process, `process ${process}`]),
    };
    for (const select of this.filters) {
      const listed = choices[select.dataset.filter];
      for (const [value, text] of listed) select.add(new Option(text, value));
      select.closest("label").hidden = listed.length < 2;
      select.addEventListener("change", () => this.refilter());
    }
  }

  refilter() {
    const filter = {};
    for (const select of this.filters) {
      if (select.value !== "") filter[select.dataset.filter] = Number(select.value);
    }
    this.view.setFilter(filter);
    this.fillTable();
    const count = this.lanes.length;
    this.view.detail.textContent = `${count} connection${count === 1 ? "" : "s"} shown.`;
  }

  /** Show only the connections of this route that have this cause, by their names. */
  only(route, cause) {
    const wanted = {
      route: this.model.routes.findIndex((one) => one.name === route),
      cause: this.model.causes.indexOf(cause),
    };
    for (const select of this.filters) {
      const index = wanted[select.dataset.filter] ?? -1;
      select.value = index < 0 ? "" : String(index);
    }
    this.refilter();
    this.figure.scrollIntoView({ block: "start" });
    this.view.canvas.focus({ preventScroll: true });
  }

  // -- The table of connections

  fillTable() {
    this.lanes = this.view.rows.filter((row) => row.kind === "lane").map((row) => row.lane);
    this.table.replaceChildren();
    this.addRows();
  }

  addRows(least = ROWS_SHOWN) {
    const { model } = this;
    const from = this.table.rows.length;
    for (const lane of this.lanes.slice(from, from + least)) {
      const row = this.table.insertRow();
      row.dataset.lane = lane;
      const cells = cellsOf(model, lane);
      const link = document.createElement("button");
      link.textContent = cells.shift();
      link.addEventListener("click", () => this.showInPicture(lane));
      row.insertCell().append(link);
      for (const cell of cells) row.insertCell().textContent = cell;
    }
    const left = this.lanes.length - this.table.rows.length;
    this.more.hidden = left <= 0;
    this.more.textContent = `Show ${Math.min(left, ROWS_SHOWN)} of ${left} more`;
  }

  showInPicture(lane) {
    this.view.show(lane);
    this.view.canvas.focus();
  }

  openTable(lane) {
    this.figure.querySelector("details").open = true;
    const place = this.lanes.indexOf(lane);
    if (place >= this.table.rows.length) this.addRows(place + 1 - this.table.rows.length);
    this.table.rows[place].querySelector("button").focus();
  }
}

function cellsOf(model, lane) {
  const { connections } = model;
  const text = (list, index) => (index === null ? "–" : list[index]);
  const attempted = model.attempted[lane];
  return [
    `#${connections.id[lane]}`,
    model.routes[connections.route[lane]].name,
    String(connections.process[lane]),
    Number.isNaN(attempted) ? "before" : timeText(attempted),
    timeText(lastMoment(model, lane) - firstMoment(model, lane)),
    String(connections.served[lane]),
    text(model.causes, connections.cause[lane]),
    Number.isNaN(model.ended[lane]) ? "still open" : text(model.ends, connections.end[lane]),
    text(model.places, connections.where[lane]),
  ];
}

const timelines = new Map();
for (const figure of document.querySelectorAll("figure.timeline")) {
  timelines.set(figure.id, new Timeline(figure));
}
for (const link of document.querySelectorAll("a[data-cause]")) {
  link.addEventListener("click", (event) => {
    event.preventDefault();
    const { route, cause, timeline } = link.dataset;
    timelines.get(timeline).only(route, cause);
  });
}
