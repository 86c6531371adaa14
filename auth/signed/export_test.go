package signed

// MAC is the signature that a secret would make.
func MAC(secret string, g Grant) string { return mac(secret, g.text()) }
