"""The tutorial's second question: NOAA's daily weather of several years, compared."""
