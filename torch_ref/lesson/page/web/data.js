// What Python computed and put into the page (torch_ref/lesson/page/data.py).

export const DATA = JSON.parse(document.getElementById("data").textContent);
