// The least page: shows the picture as it comes.
const canvas = document.getElementById("picture");
const state = document.getElementById("state");
const scheme = location.protocol === "https:" ? "wss:" : "ws:";
const socket = new WebSocket(`${scheme}//${location.host}/api/live`);
socket.binaryType = "blob";
socket.onmessage = async ({ data }) => {
  if (typeof data === "string") {
    const { reading } = JSON.parse(data);
    if (reading) state.textContent = reading.outcome;
    return;
  }
  const picture = await createImageBitmap(data);
  canvas.width = picture.width;
  canvas.height = picture.height;
  canvas.getContext("2d").drawImage(picture, 0, 0);
  picture.close();
  socket.send('{"seen":true}');
};
