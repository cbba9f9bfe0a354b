// Package memcachedtest gives tests a real memcached.
//
// [Start] runs one at a Unix socket, with little memory if a test wants it to forget;
// a [Server] can be killed, started again, and paused. A [Way] leads to it and can be cut,
// so that of two who use the same memcached one loses it. Everything ends with the test.
//
// A machine without memcached fails the test and says what to install; -short is the one
// way to leave such tests out.
package memcachedtest
