// Package policy says what callers may do, in the policy language that
// OpenStack operators know from oslo.policy.
//
// It promises:
//
//   - The rules of [Rules] always exist, with their defaults (http-v2 §2.3);
//     files change them and add building blocks of their own.
//   - A rule is compiled once. To ask takes no memory, unless the answer is no
//     or a check puts a text together.
//   - What a file means is never guessed: what cannot be understood is an
//     error with file, line and reason, and there is no Policy then. A check
//     that is understood and can never pass is a warning.
//   - A rule that nobody defined denies.
//
// Rules look at the caller and at what is acted on: the project, the queue or
// topic. That a caller stays within the own project is not a matter of policy
// but of keys that name the project.
//
// Start reading at Compile; parse.go has the language, file.go the files,
// check.go how a rule is decided, rules.go the table of rules.
package policy
