"use strict";
(() => {
  const card = document.getElementById("card");
  const [picture, title, text] = card.children;

  function show(plot, event) {
    const cards = plot.layout && plot.layout.meta && plot.layout.meta.cards;
    const about = cards && cards[[].concat(event.points[0].customdata)[0]];
    if (!about) return;
    picture.src = about.picture;
    title.textContent = about.title;
    text.textContent = about.text;
    card.hidden = false;
    const { clientX, clientY } = event.event;
    const left = clientX + 26 + card.offsetWidth > innerWidth ? clientX - 26 - card.offsetWidth : clientX + 26;
    const top = Math.min(clientY + 18, innerHeight - card.offsetHeight - 8);
    card.style.left = Math.max(4, left) + "px";
    card.style.top = Math.max(4, top) + "px";
  }

  const source = document.getElementById("figures");
  const figures = source ? Object.entries(JSON.parse(source.textContent)) : [];
  const config = "{{ config }}";
  config.displayModeBar = matchMedia("(hover: hover)").matches ? "hover" : false;

  function draw() { // one at a time, so that the page can be read and scrolled meanwhile
    const next = figures.shift();
    if (!next) return document.body.setAttribute("data-drawn", "all");
    const plot = document.getElementById(next[0]);
    Plotly.newPlot(plot, next[1].data, next[1].layout, config).then(() => {
      plot.on("plotly_hover", (event) => show(plot, event));
      plot.on("plotly_unhover", () => { card.hidden = true; });
    }).catch((error) => { plot.textContent = "This figure cannot be drawn: " + error; }).finally(() => setTimeout(draw));
  }
  draw();

  addEventListener("scroll", () => { card.hidden = true; }, { passive: true });
  const contents = document.querySelector("nav details");
  if (contents && innerWidth < 1180) contents.open = false;
  const button = document.getElementById("all-code");
  if (button) button.addEventListener("click", () => {
    const open = button.textContent === "show all code";
    document.querySelectorAll("details.code").forEach((part) => { part.open = open; });
    button.textContent = open ? "hide all code" : "show all code";
  });
  addEventListener("beforeprint", () => { card.hidden = true; });
})();
