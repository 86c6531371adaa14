// Package trust delivers to trust+http and trust+https subscribers: services
// that want a token of Keystone and get one of whoever subscribed, who has
// given this service a trust for that (notifications §9).
//
// It promises:
//
//   - Nobody's trust serves anybody else. A trust is made with the token of the
//     caller who subscribes. One that a client names must be from that client,
//     for its project, to this service. When somebody else changes where a
//     subscription leads or what it sends, it is under a trust of his own from
//     then on.
//   - A trust that was made here lasts as long as the subscription, and is
//     removed with it or with the change that replaces it. Those of clients are
//     left alone.
//   - That no token can be got puts a delivery off and loses none. Of a trust
//     that gives none, Keystone is asked every few seconds at most.
//   - Tokens are kept in memory alone, until shortly before they end or a
//     subscriber does not take them, and get into neither logs nor errors.
package trust
