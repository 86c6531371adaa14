// Package keystone says who calls by asking Keystone, OpenStack's identity
// service, about the token that a request carries (operations §5.1).
//
// It promises:
//
//   - Project, user, roles and domains come from the token alone. Nothing else
//     that a request says about its caller is looked at.
//   - No request passes without a token that Keystone confirmed at most
//     Config.CacheTime ago. When Keystone cannot be asked and nothing cached
//     is valid, the answer is Unavailable: neither yes nor no.
//   - However many requests bring a token at a time, Keystone is asked about
//     it once. Refused tokens are remembered too, apart from the valid ones,
//     so that a flood of guesses can neither reach Keystone twice nor push
//     valid tokens out. The number of entries is bounded.
//   - A bounded number of questions is under way. Who hangs up before the turn
//     of a token has come leaves nothing behind.
//   - Tokens of callers are kept as their SHA-256 only, and neither they nor
//     passwords get into logs and errors. A caller has its own with it, as a
//     text that nothing prints, for as long as its request lasts.
//   - A valid token in the cache costs a hash and a look-up in a map.
package keystone
