// Package mail delivers to mailto: subscribers (notifications §8).
//
// It promises:
//
//   - One mail per message, as the original builds it: MIME headers, then to,
//     from and subject, then the document. Nothing that a tenant says can add a
//     header or a recipient.
//   - What asks for confirmation goes to one address, which confirms for itself.
//   - A mail is delivered when the operator's command or mail server has taken
//     it. What they refuse for good is given up; everything else may be tried
//     again.
//   - A command or a server has Config.Timeout for a mail, and no more than
//     Config.Limit mails are under way; the others wait. A command that takes
//     too long is killed with all it has started.
//   - Passwords go over TLS only, or to this machine.
//   - What the command or the server says is for logs, not for tenants.
//
// Mails are written here rather than by a library: their form is laid down to
// the order of the headers, and they have neither Date nor Message-ID.
package mail
