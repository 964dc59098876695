// What pages do besides working without a script: copy, exact local times, one click at a time.
(function () {
  "use strict";
  document.documentElement.dataset.script = "";

  function localize(root) {
    const format = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });
    const short = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
    root.querySelectorAll("time[datetime]").forEach(function (time) {
      const when = new Date(time.dateTime);
      if (Number.isNaN(when.getTime())) return;
      time.title = format.format(when);
      if ("exact" in time.dataset) time.textContent = short.format(when);
    });
  }

  document.addEventListener("click", function (event) {
    const button = event.target.closest("[data-copy]");
    if (button && navigator.clipboard) {
      navigator.clipboard.writeText(button.dataset.copy).then(function () {
        const told = document.getElementById("told");
        if (told) told.textContent = button.getAttribute("aria-label").replace("Copy", "Copied");
      });
    }
    document.querySelectorAll("details[data-menu][open]").forEach(function (open) {
      if (!open.contains(event.target)) open.open = false;
    });
  });
  document.addEventListener("keydown", function (event) {
    if (event.key !== "Escape") return;
    document.querySelectorAll("details[data-menu][open]").forEach(function (open) {
      open.open = false;
      open.querySelector("summary").focus();
    });
  });

  // Rows to choose from: one box for all of them, and a button that counts the chosen ones.
  function count(form) {
    const chosen = form.querySelectorAll("tbody input[type=checkbox]:checked").length;
    form.querySelectorAll("[data-many]").forEach(function (button) {
      const words = button.dataset;
      button.textContent = [words.none, words.one][chosen] || words.many.replace("#", chosen);
    });
  }
  document.addEventListener("change", function (event) {
    const form = event.target.closest("form[data-choose]");
    if (!form) return;
    if ("all" in event.target.dataset) {
      form.querySelectorAll("tbody input[type=checkbox]").forEach(function (box) {
        box.checked = event.target.checked;
      });
    }
    count(form);
  });
  window.addEventListener("pageshow", function () {
    document.querySelectorAll("form[data-choose]").forEach(count); // Back keeps what was chosen
  });

  // Sending a form twice is safe; the button only says that the first is on its way.
  document.addEventListener("submit", function (event) {
    const button = event.submitter;
    if (!button || !button.dataset.busy) return;
    button.setAttribute("aria-disabled", "true");
    button.dataset.idle = button.textContent;
    button.textContent = button.dataset.busy;
    if (event.target.dataset.sent) event.preventDefault();
    event.target.dataset.sent = "1";
  });
  window.addEventListener("pageshow", function (event) {
    if (!event.persisted) return; // Back: the page as it was, ready again
    document.querySelectorAll("form[data-sent]").forEach(function (form) {
      delete form.dataset.sent;
    });
    document.querySelectorAll("[data-idle]").forEach(function (button) {
      button.removeAttribute("aria-disabled");
      button.textContent = button.dataset.idle;
    });
  });

  // Selecting rows of a list: all of the page at once, and how many there are.
  document.addEventListener("change", function (event) {
    const all = event.target.closest("[data-select-all]");
    const table = event.target.closest("table");
    if (!table || !(all || event.target.closest(".pick"))) return;
    const boxes = Array.from(table.querySelectorAll("tbody .pick input"));
    if (all) boxes.forEach(function (box) { box.checked = all.checked; });
    const count = boxes.filter(function (box) { return box.checked; }).length;
    const told = document.querySelector("[data-selected]");
    if (told) told.textContent = count + " selected";
    const whole = table.querySelector("[data-select-all]");
    if (!whole) return;
    whole.checked = count === boxes.length;
    whole.indeterminate = count > 0 && count < boxes.length;
  });

  document.addEventListener("DOMContentLoaded", function () { localize(document); });
  document.addEventListener("htmx:load", function (event) { localize(event.detail.elt); });
})();
