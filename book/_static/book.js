// Search shows a piece of each page it found. A page opened from disk may not read other files.
if (location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
