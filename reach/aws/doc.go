// Package aws decides what reaches what in Amazon VPCs, from the documents that the EC2 and
// Elastic Load Balancing APIs print.
//
// Index decodes them. Query answers one question, FromInternet finds the ways from the
// internet to an address, instance or function, Connect asks whether one thing in a VPC can
// connect to another. docs/reach.md states the rules and their sources.
package aws
