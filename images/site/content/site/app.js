// Shows which build of the assets the Pod mounts.
fetch("build.json")
  .then((answer) => answer.json())
  .then(({ build }) => {
    document.getElementById("build").textContent = build;
  });
