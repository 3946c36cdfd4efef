// Package page serves the web page of the relay: a person who is called at night sees
// within seconds whether events flow and, if not, why and what to do.
//
// # Pages
//
// All pages are at one level, and all links are relative, so that the page works below
// any path of a reverse proxy. "./" lists the outboxes of the process, "outbox" shows one
// of them with plots, "dead" lists dead rows, "row" shows one, "decide" replays or
// discards them, and "pause" pauses and resumes topics. Without scripts they work too,
// and load themselves again every ten seconds instead.
//
// # Numbers
//
// While this process leads an outbox, the numbers come from its memory: the relay counts
// them anyway, every 15 seconds, and the page says how old a count is. What is in flight, and
// why nothing moves, is known at once. Otherwise one row is read, in which the leader
// publishes its state. Only somebody who may see dead rows and looks at one outbox makes the
// database count, at most once in two seconds. One session with each server is only for these
// people, so that others cannot keep them waiting. No session prepares statements, because
// schemas share sessions, and the types of their columns may differ.
// The plots have two rings of samples in memory, which begin again when the process does.
//
// # Who may do what
//
// Access decides. Anybody may see whether events flow, as in /status and /metrics. Dead
// rows and data need a login, unless LocalData shows them on loopback. A change always needs a
// login. Changes are POST requests that a browser sends from the page itself:
// http.CrossOriginProtection and a SameSite cookie keep other sites out, and the check of
// the host name keeps out sites that point their own name to this address.
//
// # Untrusted text
//
// Keys, types, errors and data can have any text. It reaches a page only through
// html/template, after visible has made control characters and marks that change the
// direction of text readable. The content security policy allows no inline script and
// nothing from elsewhere.
//
// # Libraries
//
// htmx asks for the current page, idiomorph changes what is different and keeps the focus,
// and uPlot draws. assets/libraries has their files, licences, versions and sums. What is
// left for page.js are the plots, local times, the warning that the relay is silent, the
// button that stops updates, and that a double click sends a form once.
package page
