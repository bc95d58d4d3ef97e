// Sphinx has split the pages into words; a query in Japanese has to be split alike.
var splitQuery = (query) =>
  Array.from(new Intl.Segmenter("ja", { granularity: "word" }).segment(query))
    .filter((part) => part.isWordLike)
    .map((part) => part.segment);
