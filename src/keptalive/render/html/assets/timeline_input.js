// How people move in a TimelineView: by wheel, keys, mouse, touch and buttons.
"use strict";

Object.assign(TimelineView.prototype, {
  listen() {
    const { canvas } = this;
    new ResizeObserver(() => {
      if (canvas.clientWidth !== this.width) this.resize();
    }).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
    canvas.addEventListener("wheel", (event) => this.onWheel(event), { passive: false });
    canvas.addEventListener("keydown", (event) => this.onKey(event));
    canvas.addEventListener("pointerdown", (event) => this.onDown(event));
    canvas.addEventListener("pointermove", (event) => this.onMove(event));
    for (const name of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(name, (event) => this.onUp(event));
    }
    canvas.addEventListener("pointerleave", () => this.tell());
    for (const [name, isPaper] of [["beforeprint", true], ["afterprint", false]]) {
      window.addEventListener(name, () => {
        document.documentElement.classList.toggle("paper", isPaper);
        this.setPaper(isPaper);
      });
    }
    this.pointers = new Map();
    for (const button of this.figure.querySelectorAll("button[data-does]")) {
      button.addEventListener("click", () => this.does(button.dataset.does));
    }
  },

  does(what) {
    if (what === "in") this.zoom(2);
    else if (what === "out") this.zoom(1 / 2);
    else if (what === "all") this.showAll();
    else this.setLanes(what === "taller" ? -1 : 1);
  },

  /** Make lanes taller (-1) or lower (1), and keep what is in the middle there. */
  setLanes(change) {
    const now = LANE_HEIGHTS.indexOf(this.laneHeight) + change;
    const middle = (this.top + this.height / 2) / Math.max(this.tall, 1);
    this.lane = Math.min(Math.max(now, 0), LANE_HEIGHTS.length - 1);
    this.layOut();
    this.top = 0;
    this.scroll(middle * this.tall - this.height / 2);
  },

  onWheel(event) {
    // The page scrolls until somebody has chosen the picture
    if (document.activeElement !== this.canvas && !event.ctrlKey) return;
    event.preventDefault();
    if (event.shiftKey) this.scroll(event.deltaY || event.deltaX);
    else if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) this.pan(event.deltaX);
    else this.zoom(Math.exp(-event.deltaY / 300), event.offsetX);
  },

  onKey(event) {
    const step = this.plotWidth / 5;
    const keys = {
      "+": () => this.zoom(1.5),
      "=": () => this.zoom(1.5),
      "-": () => this.zoom(1 / 1.5),
      0: () => this.showAll(),
      Home: () => this.showAll(),
      "]": () => this.setLanes(-1),
      "[": () => this.setLanes(1),
      PageDown: () => this.scroll(this.height / 2),
      PageUp: () => this.scroll(-this.height / 2),
      ArrowLeft: () => (event.shiftKey ? this.pan(-step) : this.move(0, -1)),
      ArrowRight: () => (event.shiftKey ? this.pan(step) : this.move(0, 1)),
      ArrowUp: () => this.move(-1, 0),
      ArrowDown: () => this.move(1, 0),
      Enter: () => this.focus && this.onSelect(this.focus.lane),
      Escape: () => {
        this.focus = null;
        this.tell();
        this.draw();
      },
    };
    if (!(event.key in keys) || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    keys[event.key]();
  },

  onDown(event) {
    this.canvas.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, { x: event.offsetX, y: event.offsetY, moved: 0 });
  },

  onMove(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) {
      this.tell(this.pointed(event.offsetX, event.offsetY));
      return;
    }
    const others = [...this.pointers.entries()].filter(([id]) => id !== event.pointerId);
    if (others.length) {
      // Half of it, since the other finger tells the rest
      const other = others[0][1];
      this.pan((before.x - event.offsetX) / 2);
      this.scroll((before.y - event.offsetY) / 2);
      const apart = Math.abs(before.x - other.x);
      const now = Math.abs(event.offsetX - other.x);
      if (apart > 8 && now > 8) this.zoom(now / apart, (event.offsetX + other.x) / 2);
    } else {
      this.pan(before.x - event.offsetX);
      // A finger that moves up or down scrolls the page (touch-action: pan-y)
      if (event.pointerType === "mouse") this.scroll(before.y - event.offsetY);
    }
    before.moved += Math.abs(event.offsetX - before.x) + Math.abs(event.offsetY - before.y);
    before.x = event.offsetX;
    before.y = event.offsetY;
  },

  onUp(event) {
    const before = this.pointers.get(event.pointerId);
    this.pointers.delete(event.pointerId);
    if (!before || before.moved > 4) return;
    this.focus = this.pointed(event.offsetX, event.offsetY);
    this.tell();
    this.draw();
  },
});
