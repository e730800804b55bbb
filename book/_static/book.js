// Search shows a piece of each page it found. A page opened from disk may not read other files.
if (location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;

// A notebook is to be kept, not shown. In a book opened from disk browsers show it all the same.
document.addEventListener("DOMContentLoaded", () => {
  for (const link of document.querySelectorAll("a.btn-download-source-button")) link.download = "";
});
