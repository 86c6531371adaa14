package wire

import (
	"strconv"

	"zaqar/broker"
)

// AppendVersions appends the versions document (http-v2 §6.1). prefix is what
// a trusted proxy strips from paths; this document alone shows it.
func AppendVersions(dst []byte, prefix string) []byte {
	dst = append(dst, `{"versions":[{"id":"2","status":"CURRENT","updated":"2014-9-24T04:06:47Z",`...)
	dst = append(dst, `"media-types":[{"base":"application/json","type":"application/vnd.openstack.messaging-v2+json"}],`...)
	dst = append(dst, `"links":[{"href":`...)
	dst = appendString(dst, prefix+"/v2/")
	return append(dst, `,"rel":"self"}]}]}`...)
}

// AppendHealth appends the outcome of the storage probe (http-v2 §6.4).
func AppendHealth(dst []byte, h broker.Health) []byte {
	dst = append(dst, `{"storage_reachable":`...)
	dst = strconv.AppendBool(dst, h.StorageReachable)
	dst = append(dst, `,"operation_status":{`...)
	for i, step := range h.Steps {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, step.Name)
		dst = append(dst, `:{"succeeded":`...)
		dst = strconv.AppendBool(dst, step.Succeeded)
		dst = append(dst, `,"seconds":`...)
		dst = strconv.AppendFloat(dst, step.Seconds, 'f', -1, 64)
		dst = append(dst, `,"ref":`...)
		if step.Ref == "" {
			dst = append(dst, "null"...)
		} else {
			dst = appendString(dst, step.Ref)
		}
		dst = append(dst, '}')
	}
	dst = append(dst, `},"message_volume":{"free":`...)
	dst = strconv.AppendInt(dst, int64(h.Free), 10)
	dst = append(dst, `,"claimed":`...)
	dst = strconv.AppendInt(dst, int64(h.Claimed), 10)
	dst = append(dst, `,"total":`...)
	dst = strconv.AppendInt(dst, int64(h.Free+h.Claimed), 10)
	return append(dst, "}}"...)
}

// AppendError appends the body of an error (http-v2 §3.1).
func AppendError(dst []byte, title, description string) []byte {
	dst = append(dst, `{"title":`...)
	dst = appendString(dst, title)
	dst = append(dst, `,"description":`...)
	dst = appendString(dst, description)
	return append(dst, '}')
}

// AppendUnauthenticated appends the body of an error about credentials
// (http-v2 §2.2).
func AppendUnauthenticated(dst []byte, description string) []byte {
	dst = append(dst, `{"error":{"code":401,"title":"Unauthorized","message":`...)
	dst = appendString(dst, description)
	return append(dst, "}}"...)
}
