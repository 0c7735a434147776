import { OptionDefaults } from "typedoc";

export default {
  entryPoints: ["src/node.ts", "src/browser.ts"],
  // The generator of the messages has a tag of its own.
  blockTags: [...OptionDefaults.blockTags, "@generated"],
  validation: { notExported: false },
  treatWarningsAsErrors: true,
  out: "docs",
};
