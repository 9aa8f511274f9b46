// Package inspect is what the scanner and those who look at the content of files agree on.
//
// An Inspector (malware, secrets, insecure code) is handed every file of a layer or folder
// once, in pieces, as it streams by; what it says of a layer depends on that layer alone, so
// it is kept with the layer's record. An inspector is one folder beside this one.
package inspect
