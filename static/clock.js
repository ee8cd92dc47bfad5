/* The doctor's page: this browser's clock against the server's, which has no other to go by.
 *
 * The DOM it expects, of which it shows one finding and fills in what it says:
 *
 *   <h2 data-with-clock="1 finding needs you">All is well</h2>
 *   <li data-clock-compared="1764590000.123" data-most-apart="30" hidden> … <span data-said></span> … </li>
 *   <li data-clock-agrees hidden> … </li>
 *   <li data-clock-unasked> … </li>
 */
(() => {
  "use strict";

  const apart = document.querySelector("[data-clock-compared]");
  const now = Date.now() / 1000;
  const seconds = Math.round(now - Number(apart.dataset.clockCompared));
  document.querySelector("[data-clock-unasked]").hidden = true;
  if (Math.abs(seconds) <= Number(apart.dataset.mostApart)) {
    document.querySelector("[data-clock-agrees]").hidden = false;
    return;
  }
  const side = seconds > 0 ? "ahead of" : "behind";
  const shown = `${new Date(now * 1000).toISOString().slice(0, 19).replace("T", " ")}Z`;
  apart.querySelector("[data-said]").textContent =
    `This browser says that it is ${shown}, ${Math.abs(seconds)} s ${side} the server.`;
  apart.hidden = false;
  const title = document.querySelector("[data-with-clock]");
  title.textContent = title.dataset.withClock;
})();
