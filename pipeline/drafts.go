package pipeline

import (
	"zaqar/internal/checksum"
	"zaqar/messaging"
)

// SetBody gives a draft another body, one JSON text, and the checksum of that if
// it has one. The error is Invalid if the body is not JSON, or if that of the
// draft is sealed.
func SetBody(d *messaging.Draft, body []byte) error {
	if d.Key != "" {
		return messaging.E(messaging.Invalid, "The body is encrypted.")
	}
	sum, err := checksum.Of(body)
	if err != nil {
		return messaging.Wrap(messaging.Invalid, "The body is not JSON.", err)
	}
	d.Body = body
	if d.Checksum != "" {
		d.Checksum = sum
	}
	return nil
}
