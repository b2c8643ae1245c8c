// The configuration of purgecss for the style of the pages: site_style.go writes the files.
export default {
  content: ["words.txt"],
  css: ["all.css", "own.css"],
  defaultExtractor: (words) => words.split("\n"),
  keyframes: true,
  variables: true,
  rejected: true,
};
