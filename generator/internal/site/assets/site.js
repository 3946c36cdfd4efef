// The search and the filters of the list of events. Without this script, the list has
// all events. It changes only text, attributes and the order of rows.
"use strict";

(() => {
  const table = document.getElementById("events");
  const query = document.getElementById("q");
  const address = new URLSearchParams(location.search);
  query.form.hidden = false;
  query.value = (address.get("q") || "").slice(0, query.maxLength);
  if (!table) {
    return;
  }
  const form = query.form;
  const filters = document.getElementById("filters");
  const service = document.getElementById("service");
  const topic = document.getElementById("topic");
  const found = document.getElementById("found");
  const none = document.getElementById("none");
  const body = table.tBodies[0];
  const all = found.textContent;
  const rows = Array.from(body.rows, (element, order) => ({
    element,
    order,
    names: element.dataset.names.toLowerCase(),
    texts: element.dataset.texts.toLowerCase(),
    fields: element.dataset.fields.split("\n"),
    services: element.dataset.services,
    topics: element.dataset.topics,
    match: element.querySelector(".match"),
  }));
  for (const row of rows) {
    row.lowered = row.fields.map((field) => field.toLowerCase());
  }

  // rank says how well a row has a word: 3 in a name, 2 in a field, 1 in a description.
  const rank = (row, word) => {
    if (row.names.includes(word)) {
      return 3;
    }
    if (row.lowered.some((field) => field.includes(word))) {
      return 2;
    }
    return row.texts.includes(word) ? 1 : 0;
  };

  const matching = (row, words) => row.fields.filter((_, i) => words.some((word) => row.lowered[i].includes(word)));

  const show = () => {
    const words = query.value.toLowerCase().split(/\s+/).filter(Boolean);
    const filtered = words.length > 0 || service.value !== "" || topic.value !== "";
    let count = 0;
    for (const row of rows) {
      const ranks = words.map((word) => rank(row, word));
      const visible = ranks.every((r) => r > 0) &&
        (service.value === "" || row.services.includes(" " + service.value + " ")) &&
        (topic.value === "" || row.topics.includes(" " + topic.value + " "));
      row.rank = ranks.reduce((sum, r) => sum + r, 0);
      row.element.hidden = !visible;
      const fields = visible && ranks.includes(2) ? matching(row, words) : [];
      row.match.hidden = fields.length === 0;
      row.match.textContent = fields.length === 0 ? "" :
        "Fields: " + fields.slice(0, 5).join(", ") + (fields.length > 5 ? ", …" : "");
      count += visible ? 1 : 0;
    }
    const order = Array.from(rows).sort((a, b) => b.rank - a.rank || a.order - b.order);
    body.append(...order.map((row) => row.element));
    none.hidden = count > 0;
    table.hidden = count === 0;
    found.textContent = filtered ? count + " of " + rows.length + (rows.length === 1 ? " event" : " events") : all;
  };

  // remember puts the search into the address, so that it can be shared and reloaded.
  const remember = () => {
    const now = new URLSearchParams();
    for (const field of [query, service, topic]) {
      if (field.value !== "") {
        now.set(field.name, field.value);
      }
    }
    const text = now.toString();
    try {
      history.replaceState(null, "", text === "" ? location.pathname : "?" + text);
    } catch {
      // Some browsers refuse this for files. The search works without it.
    }
  };

  const change = () => {
    show();
    remember();
  };

  for (const select of [service, topic]) {
    const wanted = address.get(select.name) || "";
    if (Array.from(select.options).some((option) => option.value === wanted)) {
      select.value = wanted;
    }
    select.addEventListener("change", change);
  }
  query.addEventListener("input", change);
  for (const element of [form, filters]) {
    element.addEventListener("submit", (event) => {
      event.preventDefault();
      change();
    });
  }
  filters.hidden = false;
  show();
})();
