package config

import "slices"

func driversSection() section {
	return section{
		Name: "drivers",
		Help: "Which API is served, and from which store.",
		Options: []Option{
			of("transport", subset("wsgi", "websocket"), func(s *settings) *[]string { return &s.transports },
				"The APIs that this process serves: wsgi is HTTP. The value websocket alone is refused by this version; wsgi,websocket serves HTTP."),
			of("message_store", text(), func(s *settings) *string { return &s.messages },
				"Where messages and claims live. embedded: on this machine's disk, crash-safe. memory: gone at exit, for tests. Other stores are refused by this version. Default: embedded, unless the configuration has a section for another store; then this key must say which.").alias("storage"),
			of("management_store", text(), func(s *settings) *string { return &s.management },
				"Where queue records live. The same store as message_store, which is the default."),
		},
	}
}

func storeSections() []section {
	return slices.Concat(
		[]section{{
			Name: "drivers:message_store:embedded",
			Help: "The store on local disk. It keeps messages and queue records alike.",
			Options: []Option{
				of("data_dir", path(), func(s *settings) *string { return &s.Store.Dir },
					"The directory of the store; it is created if it is missing. One process at a time may use it. Default: /var/lib/zaqar for root, else $XDG_DATA_HOME/zaqar or ~/.local/share/zaqar. Also --data-dir."),
			},
		}},
		mongoSections(), redisSections(),
		[]section{{
			Name: "drivers:management_store:sqlalchemy",
			Help: "Queue records in a SQL database. Not offered by this version.",
			Options: []Option{
				later("uri", text(), "", "Address and credentials of the database.").secret(),
			},
		}, {
			Name: "drivers:message_store:swift",
			Help: "Messages in Swift. Not offered.",
			Options: secretNamed(ignored("Swift is not offered as a store", "auth_url", "uri", "insecure", "project_domain_id",
				"project_domain_name", "user_domain_id", "user_domain_name", "region_name", "interface"), "uri"),
		}},
	)
}

// addedStores are the sections of stores that the program adds.
func addedStores(names []string) []section {
	var added []section
	for _, name := range names {
		added = append(added, section{
			Name: "drivers:message_store:" + name,
			Help: "The store " + name + ".",
			Options: []Option{
				Option{
					Key: "uri", Help: "Where the store is, and how to get in.", Allowed: text().allowed,
					set:  func(s *settings, uri string) error { s.uris[name] = uri; return nil },
					show: func(s *settings) string { return s.uris[name] },
				}.secret(),
			},
		})
	}
	return added
}

// secretNamed marks one of several options as a secret.
func secretNamed(os []Option, keys ...string) []Option {
	for i := range os {
		if slices.Contains(keys, os[i].Key) {
			os[i].Secret = true
		}
	}
	return os
}

func mongoSections() []section {
	options := []Option{
		later("uri", text(), "", "Address and credentials.").secret(),
		later("database", text(), "zaqar", "Prefix of the database names."),
		later("ssl_keyfile", path(), "", "TLS key."),
		later("ssl_certfile", path(), "", "TLS certificate."),
		later("ssl_ca_certs", path(), "", "TLS authorities."),
		later("ssl_cert_reqs", choice("CERT_NONE", "CERT_OPTIONAL", "CERT_REQUIRED"), "CERT_REQUIRED", "What is asked of the server's certificate."),
		later("max_attempts", whole[int64](0, maxInt), "1000", "Tries of one post under contention."),
		later("max_retry_sleep", decimal(), "0.1", "Longest pause between such tries, seconds."),
		later("max_retry_jitter", decimal(), "0.005", "Random addition to that pause, seconds."),
		later("max_reconnect_attempts", whole[int64](0, maxInt), "10", "Tries after a fail-over."),
		later("reconnect_sleep", decimal(), "0.020", "First pause between those, seconds."),
	}
	partitions := later("partitions", whole[int64](1, maxInt), "2", "Number of databases that messages are spread over.")
	return []section{
		{Name: "drivers:message_store:mongodb", Help: "Messages in MongoDB. Not offered by this version.",
			Options: append(slices.Clone(options), partitions)},
		{Name: "drivers:management_store:mongodb", Help: "Queue records in MongoDB. Not offered by this version.",
			Options: options},
	}
}

func redisSections() []section {
	options := []Option{
		later("uri", text(), "redis://127.0.0.1:6379", "Address and credentials.").secret(),
		later("max_reconnect_attempts", whole[int64](0, maxInt), "10", "Tries of an operation after a connection error."),
		later("reconnect_sleep", decimal(), "1.0", "First pause between those, seconds."),
	}
	return []section{
		{Name: "drivers:message_store:redis", Help: "Messages in Redis. Not offered by this version.", Options: options},
		{Name: "drivers:management_store:redis", Help: "Queue records in Redis. Not offered by this version.", Options: options},
	}
}
