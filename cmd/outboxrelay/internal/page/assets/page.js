// What htmx, idiomorph and uPlot leave to do: plots, times in the zone of the browser, and
// the warning that the page is out of date.
(() => {
  "use strict";

  let stopped = false; // the reader has stopped updates

  // Times come in UTC, which stays in the title.
  const zoned = new Intl.DateTimeFormat(undefined, {dateStyle: "medium", timeStyle: "medium"});
  function localTimes(root) {
    for (const time of root.querySelectorAll("time[datetime]")) {
      const at = new Date(time.dateTime);
      if (!Number.isNaN(at.getTime())) time.textContent = zoned.format(at);
    }
  }

  // A plot belongs to uPlot, and whether details are open to the reader.
  Idiomorph.defaults.callbacks.beforeNodeMorphed = (old) => !(old.nodeType === 1 && old.classList.contains("plot"));
  Idiomorph.defaults.callbacks.beforeAttributeUpdated = (name, node) => !(name === "open" && node.tagName === "DETAILS");

  // Times are made local before the page is compared, so that only what is new changes.
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (stopped) event.detail.shouldSwap = false; // it was asked for before
    const answer = new DOMParser().parseFromString(event.detail.serverResponse, "text/html");
    localTimes(answer);
    event.detail.serverResponse = answer.documentElement.outerHTML;
  });

  // A page in the background asks for nothing, and asks at once when it is seen again. Nor
  // does one whose reader has stopped it.
  const still = () => stopped || document.hidden;
  function update() {
    const live = document.querySelector("[hx-get]");
    if (still() || !live) return;
    htmx.trigger(live, "seen");
    load();
  }
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (still()) event.preventDefault();
  });
  document.addEventListener("visibilitychange", update);

  // The reader can stop the page. The browser remembers it as long as its tab is open.
  const remembered = "outboxrelay stopped";
  function remember(on) {
    try {
      if (on === undefined) return sessionStorage.getItem(remembered) !== null;
      if (on) sessionStorage.setItem(remembered, "1");
      else sessionStorage.removeItem(remembered);
    } catch { /* without storage, the next page updates again */ }
    return Boolean(on);
  }
  function stop(on) {
    stopped = on;
    document.getElementById("updates").textContent = on ? "Update again" : "Stop updating";
    document.getElementById("stopped").textContent = on ? "This page does not update. What you see is from " + zoned.format(since) + "." : "";
    if (on) lost.hidden = true; // it is no news that the page is old
  }
  function stoppable() {
    const control = document.getElementById("updates");
    if (!control) return;
    control.hidden = false;
    stop(remember());
    control.addEventListener("click", () => {
      stop(remember(!stopped));
      update();
    });
    addEventListener("pageshow", (event) => { // the browser has kept the page as it was
      if (!event.persisted) return;
      stop(remember());
      update();
    });
  }

  // A form that changes something is sent once: the answer to a second click would say that
  // there is nothing left to do. The relay answers after at most 100 seconds: planLasts, and
  // a minute in carryOut. A page that the browser has kept can be sent again.
  const sent = new Set();
  document.addEventListener("submit", (event) => {
    if (event.target.method !== "post") return;
    if (sent.has(event.target)) event.preventDefault();
    sent.add(event.target);
    setTimeout(() => sent.delete(event.target), 100_000);
  });
  addEventListener("pageshow", () => sent.clear());

  // Numbers that are not current must not look as if they were.
  const lost = document.getElementById("lost");
  let since = new Date();
  function stale(why) {
    if (stopped) return; // this request was under way when the reader stopped the page
    const text = why + " What you see is from " + zoned.format(since) + ".";
    if (lost.hidden || lost.textContent !== text) lost.textContent = text;
    lost.hidden = false;
  }
  document.addEventListener("htmx:afterOnLoad", (event) => {
    if (stopped || !event.detail.successful && event.detail.xhr.status >= 400) return;
    since = new Date();
    lost.hidden = true;
  });
  document.addEventListener("htmx:sendError", () => stale("The relay does not answer: it may have ended, or the network is down."));
  document.addEventListener("htmx:timeout", () => stale("The relay does not answer in time."));
  document.addEventListener("htmx:responseError", (event) => {
    const code = event.detail.xhr.status;
    if (code === 401 || code === 403) stale("You are not logged in any more. Load the page again.");
    else if (code === 404) stale("This is not there any more.");
    else stale("The relay answers with error " + code + ".");
  });

  // Plots.
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const round = new Intl.NumberFormat(undefined, {notation: "compact", maximumFractionDigits: 1});
  function seconds(v) {
    if (v < 120) return round.format(v) + " s";
    if (v < 7200) return round.format(v / 60) + " min";
    return round.format(v / 3600) + " h";
  }
  // Times of an axis are as short as they can be.
  function clock(_, ticks) {
    const span = ticks[ticks.length - 1] - ticks[0];
    const parts = span > 100_000 ? {month: "short", day: "numeric"}
      : span > 300 ? {hour: "2-digit", minute: "2-digit"} : {hour: "2-digit", minute: "2-digit", second: "2-digit"};
    const format = new Intl.DateTimeFormat(undefined, {...parts, hourCycle: "h23"});
    return ticks.map((t) => format.format(new Date(t * 1000)));
  }
  const units = {rate: (v) => round.format(v) + "/s", oldest: seconds};
  let drawn = new Map();
  let data = null;

  function draw() {
    for (const plot of drawn.values()) plot.destroy();
    drawn = new Map();
    if (!data) return;
    for (const place of document.querySelectorAll(".plot[data-series]")) {
      const text = units[place.dataset.series] || ((v) => round.format(v));
      const axis = {stroke: color("--quiet"), grid: {stroke: color("--line"), width: 1}, ticks: {stroke: color("--line"), width: 1}};
      drawn.set(place.dataset.series, new uPlot({
        width: place.clientWidth, height: place.clientHeight,
        cursor: {sync: {key: "outbox"}, drag: {x: false, y: false}},
        legend: {show: false},
        scales: {y: {range: (_, min, max) => [0, Math.max(1, (max || 0) * 1.1)]}},
        axes: [{...axis, values: clock, space: 70}, {...axis, size: 64, values: (_, ticks) => ticks.map(text)}],
        series: [{}, {stroke: color("--plot"), fill: color("--fill"), width: 2, points: {show: data.at.length < 3}}],
      }, [data.at, data[place.dataset.series] || []], place));
    }
  }

  async function load() {
    const plots = document.getElementById("plots");
    if (!plots || document.hidden || stopped && data) return;
    try {
      const answer = await fetch(plots.dataset.source, {credentials: "same-origin", signal: AbortSignal.timeout(8000)});
      if (!answer.ok) return; // the live part of the page says what is wrong
      data = await answer.json();
    } catch {
      return;
    }
    if (drawn.size === 0) {
      draw();
    } else {
      for (const [series, plot] of drawn) plot.setData([data.at, data[series] || []]);
    }
    document.documentElement.dataset.plotted = data.at.length; // for tests
  }

  function select() {
    const every = document.getElementById("every");
    if (!every) return;
    every.hidden = false;
    const boxes = () => Array.from(document.querySelectorAll("input[name=id]"));
    every.addEventListener("change", () => boxes().forEach((b) => { b.checked = every.checked; }));
    document.addEventListener("change", (event) => {
      if (event.target.name !== "id") return;
      const on = boxes().filter((b) => b.checked).length;
      every.checked = on === boxes().length;
      every.indeterminate = on > 0 && !every.checked;
    });
  }

  function begin() {
    localTimes(document);
    select();
    stoppable();
    load();
    setInterval(load, 10_000);
    let waiting = 0;
    addEventListener("resize", () => {
      clearTimeout(waiting);
      waiting = setTimeout(draw, 100);
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  }
  begin();
})();
