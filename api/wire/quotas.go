package wire

import (
	"slices"
	"strconv"

	"zaqar/broker"
	"zaqar/messaging"
)

// Quota reads what a project is granted: {"quota": {"queues": 10, "topics":
// null}}, where null takes back what was granted.
func (r *Reader) Quota(raw []byte) (in broker.UpdateQuota, err error) {
	if err := r.open(raw); err != nil {
		return in, err
	}
	some := false
	err = r.object(func(name []byte) error {
		if string(name) != "quota" {
			return r.skip()
		}
		some = true
		in = broker.UpdateQuota{Set: messaging.Limits{}}
		return r.object(func(name []byte) error { return r.limit(&in, messaging.Limit(name)) })
	})
	if err == nil && !some {
		err = r.wrong(`lacks the member "quota"`)
	}
	if err != nil {
		return in, err
	}
	return in, r.end()
}

// limit reads the value of a limit. What names none is refused: a mistyped one
// would limit nothing.
func (r *Reader) limit(in *broker.UpdateQuota, name messaging.Limit) error {
	if !name.Known() {
		return r.wrong("is no limit")
	}
	n, err := r.integer(true)
	delete(in.Set, name) // the last one counts
	in.Unset = slices.DeleteFunc(in.Unset, func(other messaging.Limit) bool { return other == name })
	if n == nil {
		in.Unset = append(in.Unset, name)
	} else {
		in.Set[name] = *n
	}
	return err
}

// AppendQuota appends what a project may have and has.
func AppendQuota(dst []byte, v broker.QuotaView) []byte {
	dst = append(dst, `{"project_id":`...)
	dst = appendString(dst, string(v.Project))
	dst = append(dst, `,"quota":`...)
	dst = appendLimits(dst, v.Limits)
	dst = append(dst, `,"granted":`...)
	dst = appendLimits(dst, v.Granted)
	dst = append(dst, `,"usage":`...)
	u := v.Usage
	dst = appendLimits(dst, messaging.Limits{
		messaging.LimitConnections: u.Connections, messaging.LimitWaiting: u.Waiting,
		messaging.LimitQueues: u.Queues, messaging.LimitTopics: u.Topics,
		messaging.LimitMessages: u.Stored.Messages, messaging.LimitMessageBytes: u.Stored.Bytes,
		messaging.LimitSubscriptions: u.Subscriptions,
	})
	return append(dst, '}')
}

// AppendDefaultQuota appends what a project may have unless it is granted
// something else.
func AppendDefaultQuota(dst []byte, p messaging.Project, l messaging.Limits) []byte {
	dst = append(dst, `{"project_id":`...)
	dst = appendString(dst, string(p))
	dst = append(dst, `,"quota":`...)
	return append(appendLimits(dst, l), '}')
}

// AppendQuotas appends a page of what was granted. next is the link to the page
// behind it, or empty.
func AppendQuotas(dst []byte, page []messaging.Quota, next string) []byte {
	dst = append(dst, `{"quotas":[`...)
	for i, q := range page {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"project_id":`...)
		dst = appendString(dst, string(q.Project))
		dst = append(dst, `,"granted":`...)
		dst = append(appendLimits(dst, q.Limits), '}')
	}
	dst = append(dst, ']')
	return append(appendLinks(dst, next != "", next), '}')
}

// appendLimits appends those that are there, in their order.
func appendLimits(dst []byte, l messaging.Limits) []byte {
	dst = append(dst, '{')
	begin := len(dst)
	for _, name := range messaging.AllLimits() {
		n, ok := l[name]
		if !ok {
			continue
		}
		if len(dst) > begin {
			dst = append(dst, ',')
		}
		dst = append(appendString(dst, string(name)), ':')
		dst = strconv.AppendInt(dst, n, 10)
	}
	return append(dst, '}')
}
