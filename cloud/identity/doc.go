// Package identity evaluates cloud identity policies: may this principal do this action on
// some resource of that store, may it become that role, is this resource public.
//
// Verdicts have three values. A condition or a document that cannot be evaluated gives
// Unknown with the reason, never No. Service control policies are not read; they can only
// take away, so a Yes may be too much but a No is never too little.
package identity
