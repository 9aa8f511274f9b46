// Package path draws the proof of a decision as text: the packet's way from the internet hop
// by hop, each with its evidence, down to the process or to the hop that stops it.
package path
