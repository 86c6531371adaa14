// Package quota bounds what each project may have, and how fast it may go.
//
// A Guard knows the limits of every project, and counts what no store does:
// requests and bytes over time, connections, waiting requests. A nil Guard
// limits nothing: whoever may be limited asks it without asking whether there
// is one.
//
// # Who says what the limits are
//
// For each limit the first of these that names it: the administrator's quota
// of the project (storage.Quotas, set through the API), the project in the
// configuration, the defaults of the configuration, Unlimited. What was read
// from the store holds for Config.Fresh, unless it was changed through this
// Guard; so a change is in force at once on the node that made it, and within
// Fresh on the others.
//
// # Who asks
//
//   - The front, once it knows whose request it is (Enter, Leave): requests and
//     bytes per second, connections. Too fast is an Exceeded error with the time
//     after which there is room again. Bytes are charged once they were read or
//     sent: the request that uses up the rate is served, the next one refused.
//   - The broker, before it stores or waits (the Hold methods): queues, topics,
//     messages and their bytes, subscriptions, waiting requests. Too much is an
//     OverQuota error; too many waiting an Exceeded one, since waits end.
//
// # How exact
//
// Rates hold per node: n nodes let through n times as much.
//
// What the store counts is exact on one node, however many post at a time: a
// Guard hands out room that the store said there is, and counts what it gave
// away until that is stored or has failed. Room is not given out anew when
// something is deleted but when the store is asked again, which happens when the
// room is used up and at least every second. If what is on its way decides
// whether there is room, the caller waits for that. On n nodes over one store a
// project can have more than its quota by what the other n-1 take between two
// questions: by room for one second of posts, never by more than n-1 times the
// room there was.
//
// # Cost
//
// Without Guard, nothing. With one, no lock is global and nothing is allocated
// for a request of a known project. State is kept for at most MaxProjects
// projects, beyond those with a request or a connection at the moment; those
// idle for IdleTime are forgotten, and what was forgotten starts afresh.
package quota
