// All movies of a player show the same frame; each is one picture with the frames row by row.
for (const player of document.querySelectorAll(".player")) {
  const controls = player.querySelector(".controls");
  const button = controls.querySelector("button");
  const slider = controls.querySelector("input");
  const frames = Number(slider.max) + 1;
  let timer = null;

  const show = (frame) => {
    slider.value = frame;
    controls.querySelector("output").value = `frame ${frame}`;
    for (const movie of player.querySelectorAll(".movie")) {
      const { across, down } = movie.dataset;
      const x = (frame % across) / across, y = Math.floor(frame / across) / down;
      movie.firstElementChild.style.transform = `translate(${-100 * x}%, ${-100 * y}%)`;
    }
  };
  const pause = () => {
    clearInterval(timer);
    timer = null;
    button.textContent = "Play";
  };
  const play = () => {
    timer = setInterval(() => show((Number(slider.value) + 1) % frames), 60);
    button.textContent = "Pause";
  };

  button.addEventListener("click", () => (timer === null ? play() : pause()));
  slider.addEventListener("input", () => {
    pause();
    show(Number(slider.value));
  });
  controls.hidden = false;
  show(0);
  if (!matchMedia("(prefers-reduced-motion: reduce)").matches) play();
}
