package config

import "slices"

// table lists every section and option the program knows, in the order of the
// sample file.
func table() []section {
	return slices.Concat(
		[]section{defaultSection(), driversSection()},
		storeSections(),
		transportSections(),
		[]section{quotaSection(), processSection()},
		observeSections(),
		serviceSections(),
		identitySections(),
		librarySections(),
	)
}

// gone names sections and keys that once had an effect in Zaqar and have had
// none for years, so that the warning can say more than "unknown".
func gone() map[string]string {
	return map[string]string{
		"drivers:storage:mongodb":    "this section has had no effect for years; stores are configured in [drivers:message_store:…] and [drivers:management_store:…]",
		"drivers:storage:redis":      "this section has had no effect for years; stores are configured in [drivers:message_store:…] and [drivers:management_store:…]",
		"drivers:storage:sqlalchemy": "this section has had no effect for years; stores are configured in [drivers:management_store:…]",
		"limits:transport":           "this section has had no effect for years; limits are in [transport]",
		"transport/max_message_size": "this key has had no effect for years; the limit is max_messages_post_size",
	}
}
