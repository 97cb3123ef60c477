// Keeps the status page up to date, and answers its search without loading it anew. The
// page works without.
"use strict";

const every = 5000; // milliseconds

// load fetches the page with the given query, as a document.
async function load(query) {
	const response = await fetch(location.origin + location.pathname + "?" + query, { cache: "no-store", signal: AbortSignal.timeout(20000) });
	if (!response.ok) {
		throw new Error("status " + response.status);
	}
	return new DOMParser().parseFromString(await response.text(), "text/html");
}

// swap replaces what an element shows, and keeps what the reader has opened, where the
// focus is, and how far a table was scrolled.
function swap(old, fresh) {
	if (old.className === fresh.className && old.innerHTML === fresh.innerHTML) {
		return;
	}
	for (const details of old.querySelectorAll("details[open][id]")) {
		fresh.querySelector("#" + CSS.escape(details.id))?.setAttribute("open", "");
	}
	const focusable = "a, summary, [tabindex]";
	const focused = [...old.querySelectorAll(focusable)].indexOf(document.activeElement);
	const scrolled = [...old.querySelectorAll(".scroll")].map((e) => e.scrollLeft);
	old.className = fresh.className;
	old.replaceChildren(...fresh.childNodes);
	old.querySelectorAll(".scroll").forEach((e, i) => { e.scrollLeft = scrolled[i] ?? 0; });
	if (focused >= 0) {
		old.querySelectorAll(focusable)[focused]?.focus({ preventScroll: true });
	}
}

async function refresh() {
	const query = new URLSearchParams(location.search);
	query.delete("starts_at"); // the answer to a search stays as it was
	query.delete("ends_at");
	query.delete("match");
	query.delete("event");
	const lost = document.getElementById("lost");
	try {
		const fresh = await load(query);
		for (const part of document.querySelectorAll("[data-part]")) {
			swap(part, fresh.getElementById(part.id));
		}
		document.title = fresh.title;
		document.getElementById("icon").href = fresh.getElementById("icon").getAttribute("href");
		lost.hidden = true;
	} catch {
		lost.hidden = false;
	}
}

// loop refreshes while the page is seen.
let timer;
async function loop() {
	clearTimeout(timer);
	if (document.hidden) {
		return;
	}
	await refresh();
	clearTimeout(timer); // another loop may have begun meanwhile
	timer = setTimeout(loop, every);
}
timer = setTimeout(loop, every);
document.addEventListener("visibilitychange", loop);

const form = document.querySelector("#try form");
form.addEventListener("submit", async (event) => {
	event.preventDefault();
	const answer = document.getElementById("answer");
	try {
		swap(answer, (await load(new URLSearchParams(new FormData(form)))).getElementById("answer"));
	} catch (error) {
		answer.textContent = "fever cannot be reached: " + error.message;
	}
});
