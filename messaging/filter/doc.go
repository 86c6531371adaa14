// Package filter decides which messages a subscription wants, by policies in
// the language of Amazon SNS.
//
// A policy is a JSON object. Each member names a member of the message and
// lists the conditions for it: it must meet one of them, and the message must
// satisfy all members. $or, in the place of a name, lists policies of which one
// must be satisfied.
//
//	{"store": ["north", {"prefix": "south-"}],
//	 "price": [{"numeric": [">=", 10, "<", 100]}],
//	 "$or": [{"urgent": [true]}, {"customer": {"tier": [{"anything-but": "basic"}]}}]}
//
// What holds:
//
//   - A condition is a string, number, true, false or null, which the value must
//     equal, or an object of one operator: prefix, suffix, equals-ignore-case,
//     numeric, cidr, exists, or anything-but around strings, numbers, a prefix or
//     a suffix.
//   - Where the message has an array, one element that fits is enough; arrays in
//     it are as if their elements stood in their place. Conditions
//     on several members of an object in an array must be met by one and the same
//     object.
//   - A member with a dot in its name means one of that name or, if the message
//     has none, the way through nested objects.
//   - Only exists:false is met by a member that is not there, and only exists:true
//     by one that is an object. A member whose value is null is there.
//   - Numbers are compared as decimals, never as binary fractions. Those of a
//     policy lie within ±1,000,000,000 and have up to five digits behind the
//     point; those of messages may be any.
//   - Of members of a message with the same name, the last counts.
//   - What is not a JSON object satisfies only the empty policy.
//
// A policy is compiled once and checked then, with errors that name the place.
// Matching reads the text of the message as it is, once, whatever the policy:
// what all terms ask of a member is brought to one place, where a value tells the
// facts that follow from it, by lookups and not by comparing with each condition;
// and what follows from the facts is looked at only where a member gave reason
// to. So a hostile policy costs little more than reading the message.
//
// Most policies allocate nothing: only strings that are written with escapes,
// compared with networks, or compared regardless of case and long do.
package filter
