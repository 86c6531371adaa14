package wire

import (
	"strconv"

	"zaqar/broker"
	"zaqar/messaging"
)

// ClaimTerms reads {"ttl", "grace"} (http-v2 §9.1, §9.5). A member that is
// absent or null gives nil; others are ignored. What is returned is valid until
// the next document.
func (r *Reader) ClaimTerms(raw []byte) (ttl, grace *int64, err error) {
	if err := r.open(raw); err != nil {
		return nil, nil, err
	}
	err = r.object(func(name []byte) (err error) {
		switch string(name) {
		case "ttl":
			ttl, err = r.integer(true)
		case "grace":
			grace, err = r.integer(true)
		default:
			err = r.skip()
		}
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	return ttl, grace, r.end()
}

// AppendClaim appends a claim with its messages (http-v2 §9.3).
func AppendClaim(dst []byte, q messaging.QueueRef, c broker.ClaimView) []byte {
	dst = append(dst, `{"age":`...)
	dst = strconv.AppendInt(dst, c.Claim.Age(c.Now), 10)
	dst = append(dst, `,"ttl":`...)
	dst = strconv.AppendInt(dst, c.Claim.TTL, 10)
	dst = append(dst, `,"href":"`...)
	dst = AppendClaimHref(dst, q, c.Claim.ID)
	dst = append(dst, `","messages":`...)
	dst = appendMessages(dst, q, c.Messages)
	return append(dst, '}')
}
