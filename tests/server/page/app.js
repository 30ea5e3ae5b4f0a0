export const greeting = "\\n ??/ \" )";";
