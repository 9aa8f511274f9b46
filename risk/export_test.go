package risk

// MatchOnlyWhatChanged makes engines match single packages even where few assets are
// concerned, until the returned function is called.
func MatchOnlyWhatChanged() func() {
	was := fewAssets
	fewAssets = 0
	return func() { fewAssets = was }
}
