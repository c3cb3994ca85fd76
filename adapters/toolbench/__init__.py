"""ToolBench: single steps of reference trajectories (ToolBench-Static), and ToolEval's pass rate and win rate."""
