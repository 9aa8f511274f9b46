// Package auth decides who may call what. Tokens are random, stored as SHA-256, scoped and
// expire; every route is a Cedar action, and what no policy permits is denied.
package auth
