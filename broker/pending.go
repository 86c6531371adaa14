package broker

import (
	"context"
	"time"

	"zaqar/messaging"
)

var errPending = messaging.E(messaging.Unsupported, "not built yet")

func New(c Config, p Parts) (*Broker, error)                                            { return nil, errPending }
func (b *Broker) Reconfigure(c Config) error                                            { return errPending }
func (b *Broker) Config() Config                                                        { return Config{} }
func (b *Broker) Close()                                                                {}
func (b *Broker) Shown(q messaging.QueueRef, m *messaging.Metadata) *messaging.Metadata { return m }
func (b *Broker) ListQueues(ctx context.Context, who messaging.Caller, in ListQueues) (QueuePage, error) {
	return QueuePage{}, errPending
}
func (b *Broker) CreateQueue(ctx context.Context, who messaging.Caller, q messaging.QueueRef, m *messaging.Metadata) (created bool, err error) {
	return false, errPending
}
func (b *Broker) ShowQueue(ctx context.Context, who messaging.Caller, q messaging.QueueRef) (*messaging.Metadata, error) {
	return nil, errPending
}
func (b *Broker) PatchQueue(ctx context.Context, who messaging.Caller, q messaging.QueueRef, ops []PatchOp) (*messaging.Metadata, error) {
	return nil, errPending
}
func (b *Broker) DeleteQueue(ctx context.Context, who messaging.Caller, q messaging.QueueRef) error {
	return errPending
}
func (b *Broker) QueueStats(ctx context.Context, who messaging.Caller, q messaging.QueueRef) (messaging.Tally, time.Time, error) {
	return messaging.Tally{}, time.Time{}, errPending
}
func (b *Broker) PurgeQueue(ctx context.Context, who messaging.Caller, q messaging.QueueRef, p Purge) error {
	return errPending
}
func (b *Broker) PostLimit(ctx context.Context, who messaging.Caller, q messaging.QueueRef) (int64, error) {
	return 0, errPending
}
func (b *Broker) PostMessages(ctx context.Context, who messaging.Caller, q messaging.QueueRef, posts []Post) ([]messaging.MessageID, error) {
	return nil, errPending
}
func (b *Broker) ListMessages(ctx context.Context, who messaging.Caller, q messaging.QueueRef, in ListMessages) (Messages, error) {
	return Messages{}, errPending
}
func (b *Broker) GetMessages(ctx context.Context, who messaging.Caller, q messaging.QueueRef, ids []messaging.MessageID) (Messages, error) {
	return Messages{}, errPending
}
func (b *Broker) GetMessage(ctx context.Context, who messaging.Caller, q messaging.QueueRef, id messaging.MessageID) (Messages, error) {
	return Messages{}, errPending
}
func (b *Broker) DeleteMessage(ctx context.Context, who messaging.Caller, q messaging.QueueRef, id messaging.MessageID, claim messaging.ClaimID) error {
	return errPending
}
func (b *Broker) DeleteMessages(ctx context.Context, who messaging.Caller, q messaging.QueueRef, ids []messaging.MessageID, claims []messaging.ClaimID, claimsGiven bool) error {
	return errPending
}
func (b *Broker) PopMessages(ctx context.Context, who messaging.Caller, q messaging.QueueRef, n int) (Messages, error) {
	return Messages{}, errPending
}
func (b *Broker) CreateClaim(ctx context.Context, who messaging.Caller, q messaging.QueueRef, in CreateClaim) (ClaimView, error) {
	return ClaimView{}, errPending
}
func (b *Broker) ShowClaim(ctx context.Context, who messaging.Caller, q messaging.QueueRef, id messaging.ClaimID) (ClaimView, error) {
	return ClaimView{}, errPending
}
func (b *Broker) UpdateClaim(ctx context.Context, who messaging.Caller, q messaging.QueueRef, id messaging.ClaimID, in UpdateClaim) error {
	return errPending
}
func (b *Broker) ReleaseClaim(ctx context.Context, who messaging.Caller, q messaging.QueueRef, id messaging.ClaimID) error {
	return errPending
}
func (b *Broker) Ping(ctx context.Context, who messaging.Caller) error { return errPending }
func (b *Broker) Health(ctx context.Context, who messaging.Caller) (Health, error) {
	return Health{}, errPending
}
